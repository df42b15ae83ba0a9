// SPDX-License-Identifier: GPL-2.0-only
#define _GNU_SOURCE
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "process.h"
#include "shared.h"

/* Pages of the transcript beyond this many bytes are given back after a program that needed them. */
#define TRANSCRIPT_KEEP		(1ul << 20)
/* fault_around_bytes (mm/memory.c), unless debugfs has changed it. */
#define FAULT_AROUND_BYTES	(64ul << 10)

struct shared *shared;

/* Of the shared memory. */
static int file = -1;

int shared_init(void)
{
	const int low = memfd_create("hmmdiff-shared", MFD_CLOEXEC);

	if (low < 0 || ftruncate(low, sizeof(*shared)))
		return -1;
	/* NORESERVE: the transcript's most is far more than a program uses. */
	shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_NORESERVE, low, 0);
	if (shared == MAP_FAILED)
		return -1;
	file = keep_out_of_the_way(low);
	/* A system call of a step must not be the first to need these pages. */
	memset(shared->bounce, 0, sizeof(shared->bounce));
	memset(&shared->scan, 0, sizeof(shared->scan));
	memset(&shared->pages, 0, sizeof(shared->pages));
	memset(shared->trace_page, 0, sizeof(shared->trace_page));
	memset(shared->parts, 0, sizeof(shared->parts));
	return 0;
}

unsigned int shared_pages(void)
{
	struct stat status;

	if (fstat(file, &status)) {
		note_failure("the shared memory");
		return 0;
	}
	return status.st_blocks / (PAGE_BYTES / 512);
}

static void map_around(const volatile void *place)
{
	(void)*(const volatile char *)place;
}

void shared_map(void)
{
	map_around(&shared->control);
	map_around(&shared->scan);
	for (size_t at = 0; at < sizeof(shared->pages); at += FAULT_AROUND_BYTES)
		map_around((const char *)&shared->pages + at);
	map_around(shared->bounce);
	map_around(shared->transcript);
}

void shared_reset(uint32_t sequence)
{
	struct control *c = &shared->control;
	size_t used = c->used;

	memset(c, 0, sizeof(*c));
	c->sequence = sequence;
	c->leaving = NOBODY;
	if (used > TRANSCRIPT_KEEP)
		madvise(shared->transcript + TRANSCRIPT_KEEP,
			((used + PAGE_BYTES - 1) & ~(size_t)(PAGE_BYTES - 1)) - TRANSCRIPT_KEEP, MADV_REMOVE);
}

void *transcript_append(size_t bytes)
{
	struct control *c = &shared->control;
	uint8_t *part = shared->transcript + c->used;

	c->used += (bytes + 7) & ~(size_t)7;
	memset(part + bytes, 0, shared->transcript + c->used - (part + bytes));
	return part;
}

void transcript_trim(void *part, size_t bytes)
{
	shared->control.used = (uint8_t *)part - shared->transcript;
	transcript_append(bytes);
}

struct step_record *current_record(void)
{
	if (own_part)
		return &own_part->record;
	return (struct step_record *)(shared->transcript + shared->control.record);
}

unsigned int first_alive(void)
{
	const uint32_t alive = shared->control.alive;

	return alive ? __builtin_ctz(alive) : NOBODY;
}

static void vnote_failure(const char *format, va_list arguments)
{
	char *error = shared->control.error;
	const size_t size = sizeof(shared->control.error);
	const int code = errno;
	int length;

	if (error[0])
		return;
	length = vsnprintf(error, size, format, arguments);
	if (code && length >= 0 && (size_t)length < size)
		snprintf(error + length, size - length, ": %s", strerror(code));
}

void note_failure(const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	vnote_failure(format, arguments);
	va_end(arguments);
}

void fail(const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	vnote_failure(format, arguments);
	va_end(arguments);
	_exit(1);
}
