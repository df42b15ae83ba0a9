/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What a process of a program has for itself. It is private memory, so a fork hands it on as the kernel hands on the
 * file descriptors that it names.
 */
#ifndef HMMDIFF_PROCESS_H
#define HMMDIFF_PROCESS_H

#include <stdbool.h>
#include <sys/types.h>

#include "protocol.h"

struct process {
	unsigned int	number;
	int		pagemap;		/* of this process; -1 until it is needed */
	int		status;			/* as pagemap, and so are these */
	int		statm;
	int		smaps;
	int		rollup;
	int		device[MAX_DEVICES];	/* -1: not open */
	int		gup_test;		/* what it pins pages through; -1 until it is needed */
	int		userfault;		/* userfaultfd; -1 until it is opened */
	bool		own[MAX_DEVICES];	/* opened by this process, so it mirrors this mm */
	int		file[MAX_REGIONS];	/* what a region maps; -1: anonymous memory */
};

extern struct process self;

/* Another number for a descriptor, out of the way of others. A failure ends the process. */
int keep_out_of_the_way(int fd);

/* Opens a file of /proc/self for reading, out of the way of other descriptors. A failure ends the process. */
int open_own(const char *path);

/*
 * Forks process `number` of the program. `flags` are for clone(2): a process that forks gives CLONE_PARENT, so that
 * all are children of the agent, which thus sees every end. Returns the pid, 0 in the child, -1 with errno.
 */
pid_t spawn(unsigned int number, unsigned long flags);

/* Ends process `number`, which waits for its turn, if there is one; returns when it has given up all that it had. */
void end_process(unsigned int number);

/* Makes the program's first process of a copy of the agent. */
void become_first_process(void);

/* Makes process `number` of a copy of the process that forked it. */
void become_child(unsigned int number);

#endif
