/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef HMMDIFF_TRACE_RING_H
#define HMMDIFF_TRACE_RING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "trace_format.h"

/* The layout of a ring-buffer page, from tracefs' events/header_page. */
struct ring_layout {
	struct trace_field	commit;
	struct trace_field	data;
};

/* A walk over the records of one page that trace_pipe_raw returned. */
struct ring_walk {
	const uint8_t	*at;
	const uint8_t	*end;
	uint32_t	missed;		/* records that were overwritten before this page, at least */
};

void ring_start(struct ring_walk *walk, const struct ring_layout *layout, const void *page);

/* The next data record, its length in `size`, NULL after the last. */
const void *ring_next(struct ring_walk *walk, size_t *size);

#endif
