/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Accesses to test memory that may be answered with SIGSEGV or SIGBUS:
 *
 *	if (GUARD(start, end)) {
 *		... access [start, end) ...
 *		guard_off();
 *	} else {
 *		... guard.signal at guard.address ended it ...
 *	}
 *
 * A fault anywhere else kills the process, which its transcript then shows as crashed.
 */
#ifndef HMMDIFF_GUARD_H
#define HMMDIFF_GUARD_H

#include <setjmp.h>
#include <stdint.h>

struct guard {
	uint64_t	start;
	uint64_t	end;
	uint64_t	address;
	int		signal;
	sigjmp_buf	back;
};

extern _Thread_local struct guard guard;

/* Installs the handlers, for this process and those that it forks. Returns 0, -1 with errno. */
int guard_init(void);

/* The handlers do not mask signals (SA_NODEFER), so none need be restored: no system call here. */
#define GUARD(from, to)	(guard.start = (from), guard.end = (to), sigsetjmp(guard.back, 0) == 0)

static inline void guard_off(void)
{
	guard.end = guard.start;
}

#endif
