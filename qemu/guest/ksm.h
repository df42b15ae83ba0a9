/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef HMMDIFF_KSM_H
#define HMMDIFF_KSM_H

/*
 * Has ksmd scan all that is to be merged, so often that the last scan finds nothing new, and stops it. Returns 0, -1 with
 * errno: ETIMEDOUT when ksmd did not come that far.
 */
int run_ksmd(void);

/* Takes all merges back. Returns 0, -1 with errno. */
int stop_ksm(void);

#endif
