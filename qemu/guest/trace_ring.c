// SPDX-License-Identifier: GPL-2.0-only
/*
 * The binary form of ftrace's ring buffer: include/linux/ring_buffer.h, enum ring_buffer_type, and
 * kernel/trace/ring_buffer.c, ring_buffer_read_page().
 */
#include <string.h>

#include "trace_ring.h"

/* Flags in the commit word: records are missing before this page; their number follows the data. */
#define RB_MISSED_EVENTS	(1u << 31)
#define RB_MISSED_STORED	(1u << 30)

enum {
	TYPE_DATA_MAX		= 28,
	TYPE_PADDING		= 29,
	TYPE_TIME_EXTEND	= 30,
	TYPE_TIME_STAMP		= 31,
};

static uint32_t load32(const uint8_t *at)
{
	uint32_t value;

	memcpy(&value, at, sizeof(value));
	return value;
}

void ring_start(struct ring_walk *walk, const struct ring_layout *layout, const void *page)
{
	const uint32_t commit = field_value(page, &layout->commit);
	uint32_t length = commit & ~(RB_MISSED_EVENTS | RB_MISSED_STORED);

	if (length > layout->data.size)
		length = layout->data.size;
	walk->at = (const uint8_t *)page + layout->data.offset;
	walk->end = walk->at + length;
	walk->missed = 0;
	if (commit & RB_MISSED_EVENTS) {
		walk->missed = 1;
		if (commit & RB_MISSED_STORED && length + sizeof(uint64_t) <= layout->data.size)
			walk->missed = load32(walk->end);
	}
}

const void *ring_next(struct ring_walk *walk, size_t *size)
{
	while (walk->end - walk->at >= 4) {
		const uint32_t header = load32(walk->at);
		const uint8_t *record = walk->at + 4;
		const unsigned int type = header & 31;
		const uint32_t array0 = walk->end - record >= 4 ? load32(record) : 0;
		size_t length;

		switch (type) {
		case TYPE_PADDING:
			/* No time delta: the rest of the page is empty. */
			length = header >> 5 ? array0 : (size_t)(walk->end - record);
			break;
		case TYPE_TIME_EXTEND:
		case TYPE_TIME_STAMP:
			length = 4;
			break;
		case 0:
			/* The length word counts itself. */
			length = array0;
			break;
		default:
			length = type * 4;
			break;
		}
		length = (length + 3) & ~(size_t)3;
		if (length > (size_t)(walk->end - record))
			length = walk->end - record;
		walk->at = record + length;

		if (type > TYPE_DATA_MAX)
			continue;
		*size = type ? length : length - (length >= 4 ? 4 : length);
		return type ? record : record + 4;
	}
	return NULL;
}
