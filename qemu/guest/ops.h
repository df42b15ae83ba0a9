/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef HMMDIFF_OPS_H
#define HMMDIFF_OPS_H

/*
 * Runs step `step` in the process that makes it and fills current_record(). Does not return from an exit; returns
 * true in the child that a fork made.
 */
_Bool run_step(unsigned int step);

/* Has the CPU do what waits in its LRU batches, those of mlock too. */
void drain_lru(void);

#endif
