/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The tracepoints of migrations and page faults, in a tracefs instance of the agent's own, read as raw ring-buffer pages: a read of the
 * text form costs many times as much.
 */
#ifndef HMMDIFF_TRACE_H
#define HMMDIFF_TRACE_H

#include <stdint.h>

/* Why there is no tracing; NULL when there is. */
extern const char *trace_unavailable;

/* Finds tracefs and which of our events this kernel has; makes no instance. */
void trace_probe(void);

/* Writes the names of the events that this kernel has as a JSON list. */
int trace_events_json(char *buffer, unsigned long size);

/* Makes the instance with its events enabled. Sets trace_unavailable when that fails. */
void trace_open(void);

/* Removes the instance. */
void trace_close(void);

/* Throws away what all CPUs have. */
void trace_discard(void);

/*
 * Appends the new events of `cpu` at addresses of the regions, and those without address, to the transcript. Counts
 * the others as stray. Returns how many it appended.
 */
uint32_t trace_append(unsigned int cpu);

/* The same for all CPUs, in ascending order. */
uint32_t trace_append_all(void);

#endif
