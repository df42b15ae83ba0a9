/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef HMMDIFF_STATUS_H
#define HMMDIFF_STATUS_H

#include <stdbool.h>

#include "protocol.h"

/*
 * Gives this process, and those forked from it, all private memory that the agent will ever touch: from then on their
 * RssAnon changes by the pages of the regions alone.
 */
void touch_own_memory(void);

/* Whether RssAnon is read after the current step: at each of up to seven, at eight of up to 16, at four of more; and with smaps. */
bool rss_wanted(void);

/*
 * Whether the other RSS lines are as well: with smaps, and where files or swap are in play each time, in programs of more than
 * 16 steps every second time.
 */
bool status_wanted(void);

/*
 * Whether RssShmem is read without the agent's own pages, which costs four times what status does: where it may be anything
 * but 0 without them. Takes PAGEMAP_SCAN.
 */
bool shmem_wanted(void);

/* The RSS lines of this process. A failure ends it. */
struct rss read_rss(void);

/* The same of a first process before the first step: once for all programs of which RssAnon alone changes. */
struct rss read_base(void);

/* RssAnon alone, for a small part of what reading all lines costs. A failure ends the process. */
uint32_t read_rss_anon(void);

#endif
