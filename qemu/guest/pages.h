/* SPDX-License-Identifier: GPL-2.0-only */
/* The two forms in which `shared->pages` goes into the transcript (protocol.h). */
#ifndef HMMDIFF_PAGES_H
#define HMMDIFF_PAGES_H

#include "protocol.h"

/* Of a small region; sets the masks of `record`. */
void append_masked(struct region_record *record, unsigned int pages);

/* Of a huge region: five columns of runs. */
void append_columns(unsigned int pages);

#endif
