/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef HMMDIFF_TRACE_FORMAT_H
#define HMMDIFF_TRACE_FORMAT_H

#include <stdbool.h>

/* Where a field lies in a record; size 0: nowhere. */
struct trace_field {
	unsigned int	offset;
	unsigned int	size;
};

/*
 * Looks for field `name` in the text of a tracefs `format` or `header_page` file, whose lines read
 * "<tab>field:unsigned long addr;<tab>offset:8;<tab>size:8;<tab>signed:0;".
 */
bool find_field(const char *format, const char *name, struct trace_field *field);

/* Reads a little-endian field of 1 to 8 bytes; 0 when it lies nowhere. */
unsigned long long field_value(const void *record, const struct trace_field *field);

#endif
