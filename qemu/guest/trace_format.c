// SPDX-License-Identifier: GPL-2.0-only
#include <stdio.h>
#include <string.h>

#include "trace_format.h"

/* Whether the declaration, "unsigned long addr" or "char comm[16]", is of `name`. */
static bool declares(const char *declaration, size_t length, const char *name)
{
	const char *bracket = memchr(declaration, '[', length);
	const size_t name_length = strlen(name);

	if (bracket)
		length = bracket - declaration;
	return length > name_length && declaration[length - name_length - 1] == ' ' &&
	       !memcmp(declaration + length - name_length, name, name_length);
}

bool find_field(const char *format, const char *name, struct trace_field *field)
{
	static const char prefix[] = "field:";

	for (const char *at = strstr(format, prefix); at; at = strstr(at, prefix)) {
		const char *end;

		at += strlen(prefix);
		end = strchr(at, ';');
		if (!end)
			return false;
		if (declares(at, end - at, name))
			return sscanf(end, "; offset:%u; size:%u;", &field->offset, &field->size) == 2;
	}
	return false;
}

unsigned long long field_value(const void *record, const struct trace_field *field)
{
	unsigned long long value = 0;

	memcpy(&value, (const char *)record + field->offset, field->size);
	return value;
}
