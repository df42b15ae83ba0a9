/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef HMMDIFF_OTHERS_H
#define HMMDIFF_OTHERS_H

#include <stdbool.h>
#include <stdint.h>

/*
 * What changes whenever a process changes how many anonymous pages the machine has mapped that is none of a program's: page
 * faults, without which there is none more, and RssAnon, which tells when there are fewer. It is looked at in this agent and in
 * those that it comes from, which are dropbear's. There are no others but init, which sleeps; `tasks` tells when some come.
 */
struct others {
	uint64_t	faults;
	uint64_t	anon;
	uint64_t	tasks;	/* of the machine, those of the kernel as well */
};

/* To be called by the agent, when no process of a program lives. Returns 0, -1 with errno. */
int read_others(struct others *others);

static inline bool same_others(const struct others *a, const struct others *b)
{
	return a->faults == b->faults && a->anon == b->anon && a->tasks == b->tasks;
}

#endif
