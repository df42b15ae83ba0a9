/* SPDX-License-Identifier: GPL-2.0-only */
/* What the payload of a PROGRAM frame is made of (protocol.h, which includes this). */
#ifndef HMMDIFF_PROTOCOL_PROGRAM_H
#define HMMDIFF_PROTOCOL_PROGRAM_H

/* What to observe after every step; what is about single pages needs pagemap. */
enum observe_bit {
	OBSERVE_PAGEMAP		= 1 << 0,
	OBSERVE_KPAGE		= 1 << 1,	/* kpageflags and kpagecount of present pages */
	OBSERVE_WORDS		= 1 << 2,	/* first and last word of present pages */
	OBSERVE_SNAPSHOT	= 1 << 3,	/* HMM_DMIRROR_SNAPSHOT through fds that the process opened itself */
	OBSERVE_TRACE		= 1 << 4,
	/* RSS lines of /proc/PID/status; of programs without files and swap, all of them only where smaps are taken. */
	OBSERVE_STATUS		= 1 << 5,
	OBSERVE_MINCORE		= 1 << 6,
	OBSERVE_SCAN		= 1 << 7,	/* PAGEMAP_SCAN */
	OBSERVE_SMAPS		= 1 << 8,	/* at every `smaps_every`th step, and at the last */
	OBSERVE_ROLLUP		= 1 << 9,	/* smaps_rollup, where smaps are taken at the last step */
	OBSERVE_VMSTAT		= 1 << 10,	/* once, of the whole program */
	/* Where smaps are, at every eighth step at most, and when all processes have ended. */
	OBSERVE_MEMINFO		= 1 << 11,
	OBSERVE_ALL		= (1 << 12) - 1,
};

enum program_flag {
	/* Each step is written to /dev/kmsg before it is run, so that the console names the one that panics. */
	PROGRAM_ANNOUNCE	= 1 << 0,
};

/* What a region maps (model/program.ts); a huge one is anonymous or hugetlb, which no other is. */
enum region_backing {
	BACKING_ANONYMOUS	= 0,
	BACKING_PRIVATE_FILE	= 1,
	BACKING_SHARED_FILE	= 2,
	BACKING_PRIVATE_SHMEM	= 3,
	BACKING_SHARED_SHMEM	= 4,
	BACKING_PRIVATE_HUGETLB	= 5,
	BACKING_SHARED_HUGETLB	= 6,
	BACKING_PRIVATE_FILLED_SHMEM = 7,
};

struct program_header {
	uint32_t	observe;	/* enum observe_bit */
	uint32_t	flags;		/* enum program_flag */
	uint32_t	limit_ms;	/* without progress for so long, the program is hung; not 0 */
	uint16_t	regions;
	uint16_t	steps;
	uint16_t	pages[MAX_REGIONS];	/* of each region; 0 for those that the program lacks */
	uint32_t	smaps_every;		/* not 0 with OBSERVE_SMAPS */
	uint8_t		backing[MAX_REGIONS];	/* enum region_backing */
};

enum step_op {
	OP_MMAP		= 1,	/* argument: enum step_protection */
	OP_MUNMAP	= 2,
	OP_CPU_READ	= 3,
	OP_CPU_WRITE	= 4,
	OP_FORK		= 5,	/* argument: the child */
	OP_EXIT		= 6,
	OP_OPEN		= 7,	/* argument: the device, as for all that follow */
	OP_CLOSE	= 8,
	OP_READ		= 9,
	OP_WRITE	= 10,
	OP_MIGRATE_TO_DEV = 11,
	OP_MIGRATE_TO_SYS = 12,
	OP_SNAPSHOT	= 13,
	OP_READ_UNLOCKED = 14,
	OP_EXCLUSIVE	= 15,
	OP_CHECK_EXCLUSIVE = 16,
	OP_FLAGS	= 17,	/* option: enum device_flags */
	OP_RELEASE	= 18,
	OP_MPROTECT	= 19,	/* argument: enum step_protection */
	OP_MADVISE	= 20,	/* argument: enum step_advice */
	OP_CLEAR_REFS	= 21,
	OP_PIN		= 22,
	OP_UNPIN	= 23,
	OP_MREMAP	= 24,	/* argument: region of the target; option: enum remap_kind, | enum remap_flaw << 8 */
	OP_MLOCK	= 25,
	OP_MUNLOCK	= 26,
	OP_TOGETHER	= 27,	/* argument: actors; count: parts; option: TOGETHER_ROUNDS and TOGETHER_APART */
	OP_UFFD_OPEN	= 28,	/* argument: enum userfault_mode */
	OP_UFFD_REGISTER = 29,	/* argument: enum userfault_kind */
	OP_UFFD_UNREGISTER = 30,
	OP_UFFD_PROTECT	= 31,
	OP_UFFD_UNPROTECT = 32,
	OP_UFFD_ZEROPAGE = 33,
	OP_UFFD_COPY	= 34,	/* argument: 1: write-protected */
	OP_KSMD		= 35,
	OP_RELOAD	= 36,
	OP_SWAPON	= 37,
	OP_SWAPOFF	= 38,
	OP_UFFD_MOVE	= 39,	/* argument: region of the target; option: 1: what is missing is left out */
	OP_LAST		= OP_UFFD_MOVE,
};

/* What FLAGS is given as npages. */
enum device_flags {
	FLAGS_NONE		= 0,
	FLAGS_FAIL_ALLOC	= 1,
	FLAGS_OTHER		= 2,
};

/* The option of a step whose argument is a device: what is wrong with the arguments of its ioctl (model/program.ts). */
enum step_flaw {
	FLAW_NONE		= 0,
	FLAW_MISALIGNED		= 1,
	FLAW_NO_PAGES		= 2,
	FLAW_WRAPS		= 3,
	FLAW_EXCESS_PAGES	= 4,
	FLAW_BAD_BUFFER		= 5,
	FLAW_BAD_COMMAND	= 6,
	FLAW_UNKNOWN		= 7,
};

enum remap_kind {
	REMAP_MOVE		= 0,
	REMAP_KEEP		= 1,	/* MREMAP_DONTUNMAP */
	REMAP_RESIZE		= 2,	/* where it is */
};

/* What is wrong with the arguments of mremap() (model/program.ts). */
enum remap_flaw {
	REMAP_FLAW_NONE			= 0,
	REMAP_FLAW_MISALIGNED		= 1,
	REMAP_FLAW_MISALIGNED_TARGET	= 2,
	REMAP_FLAW_BEYOND		= 3,
	REMAP_FLAW_IMMOVABLE		= 4,
	REMAP_FLAW_UNKNOWN_FLAG		= 5,
};

enum step_protection {
	PROTECTION_NONE		= 0,
	PROTECTION_READ		= 1,
	PROTECTION_READ_WRITE	= 2,
};

enum userfault_mode {
	USERFAULT_SIGBUS	= 0,
	USERFAULT_HANDLER	= 1,
	USERFAULT_UNPOPULATED	= 2,	/* SIGBUS, and pages that are not there can be protected */
};

/* What a range is registered for. */
enum userfault_kind {
	USERFAULT_MISSING	= 1 << 0,
	USERFAULT_WP		= 1 << 1,
};

enum step_advice {
	ADVICE_DONTNEED	= 0,
	ADVICE_FREE	= 1,
	ADVICE_COLD	= 2,
	ADVICE_PAGEOUT	= 3,
	ADVICE_HUGEPAGE	= 4,
	ADVICE_NOHUGEPAGE = 5,
	ADVICE_COLLAPSE	= 6,
	ADVICE_MERGEABLE = 7,
	ADVICE_UNMERGEABLE = 8,
};

/* Processes or threads that act at the same time, and steps of each. */
#define MAX_ACTORS		3
#define MAX_ACTOR_STEPS		4
#define MAX_PARTS		(MAX_ACTORS * MAX_ACTOR_STEPS)

/*
 * In each round but the first, an actor first opens the devices that its parts close, and ends the processes that they
 * fork. The option of OP_TOGETHER: rounds in the lower half; above, the most ms that an actor waits before a part.
 */
#define TOGETHER_ROUNDS(option)	((option) & 0xffff)
#define TOGETHER_APART(option)	((option) >> 16)

/* The option of an OP_CPU_WRITE that is a part: nothing else changes its pages. */
#define PART_ALONE		1

struct program_step {
	uint8_t		op;		/* enum step_op */
	uint8_t		by;		/* the process that acts */
	uint8_t		argument;
	uint8_t		region;
	uint16_t	first;		/* page of the region */
	uint16_t	count;		/* pages; 0 for steps without a range */
	uint32_t	option;		/* by operation; 0 for those without */
	/* MREMAP, UFFD_MOVE: where to, and the new length; else 0. Of a part of OP_TOGETHER, to_first is its actor. */
	uint16_t	to_first;
	uint16_t	to_count;
};

_Static_assert(sizeof(struct program_header) == 32, "program_header");
_Static_assert(sizeof(struct program_step) == 16, "program_step");

/*
 * The word that step `step` writes into every word of a page; never 0 and different for each page and step. Part `part`
 * of actor `actor` of a step writes as if it were step part_token_step(), and shifts the round into the highest bits.
 */
static inline uint64_t page_token(unsigned int step, unsigned int region, unsigned int page)
{
	return (uint64_t)(step + 1) << 32 | (uint64_t)(region + 1) << 16 | (page + 1);
}

/* What fills page `page` of the file of a region at first; no step's token. */
static inline uint64_t file_word(unsigned int region, unsigned int page)
{
	return (uint64_t)(region + 1) << 16 | (page + 1);
}

static inline unsigned int part_token_step(unsigned int step, unsigned int actor, unsigned int part)
{
	return (1 + actor * MAX_ACTOR_STEPS + part) * MAX_STEPS + step;
}

#define TOKEN_ROUND_SHIFT	48

#endif
