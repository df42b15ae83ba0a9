/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The memory that the agent shares with the processes of the program that is being run: whose turn it is, the
 * transcript so far, and the buffers that system calls copy to and from. It is MAP_SHARED, so a fork copies none of
 * it, and far from the regions under test.
 */
#ifndef HMMDIFF_SHARED_H
#define HMMDIFF_SHARED_H

#include <stdatomic.h>
#include <stdbool.h>
#include <sys/types.h>

#include "protocol.h"

#define NOBODY		MAX_PROCESSES
#define TRACE_PAGE_MAX	16384
#define SMAPS_TEXT_MAX	(4 << 20)

/* A transcript that holds the most of everything, so that appending to it never fails. */
#define COLUMNS		5
#define REGION_BYTES_MAX							\
	(sizeof(struct region_record) +						\
	 COLUMNS * (8 + MAX_HUGE_PAGES * sizeof(struct run_record)) +		\
	 MAX_HUGE_PAGES * (1 + sizeof(struct scan_record)) +			\
	 MAX_DEVICES * (sizeof(struct snapshot_record) + MAX_HUGE_PAGES))
#define STEP_BYTES_MAX								\
	(sizeof(struct step_record) + MAX_HUGE_PAGES * sizeof(struct page_record) +	\
	 MAX_PROCESSES * (sizeof(struct process_record) + 2 * sizeof(struct smaps_fields) +	\
			  MAX_REGIONS * (REGION_BYTES_MAX + MAX_HUGE_PAGES * sizeof(struct smaps_record))) +	\
	 MAX_STEP_EVENTS * sizeof(struct event_record) + (GAUGES + 1) * sizeof(int32_t))
#define STACK_BYTES_MAX		16384
#define TRANSCRIPT_BYTES_MAX							\
	(MAX_STEPS * STEP_BYTES_MAX + MAX_PROCESSES * (STACK_BYTES_MAX + 8) +	\
	 MAX_STEP_EVENTS * sizeof(struct event_record) + VM_EVENTS * sizeof(uint64_t) +	\
	 (GAUGES + 1) * sizeof(int32_t))

enum phase {
	PHASE_ACT,		/* `turn` runs the step */
	PHASE_TOGETHER,		/* `turn` does, with others */
	PHASE_OBSERVE,		/* `turn` observes itself */
	PHASE_END,		/* all steps are done; `turn` exits */
};

/* What the actors of an OP_TOGETHER share. */
struct together {
	uint32_t	step;
	atomic_uint	arrived;	/* actors */
	atomic_uint	behind;		/* actors that have not done all rounds */
	atomic_uint	playing;	/* futex: processes beside the one whose turn it is */
};

/* What one part of an OP_TOGETHER works with, instead of the transcript and the common buffer. */
struct part {
	struct step_record	record;
	unsigned int		token_step;
	unsigned int		round;
	struct page_record	data[MAX_REGION_PAGES];
	uint8_t			bounce[MAX_REGION_PAGES * PAGE_BYTES] __attribute__((aligned(PAGE_BYTES)));
};

/* A part of the transcript. */
struct stretch {
	size_t	at;
	size_t	bytes;		/* 0: there is none */
};

struct control {
	/* Written only by the process whose turn it is; by the agent when that process has exited. */
	uint32_t	sequence;
	uint32_t	step;		/* index in the program, parts counted */
	uint32_t	phase;
	uint32_t	turn;		/* NOBODY: the program is over */
	uint32_t	alive;		/* bit per process */
	uint32_t	observers;	/* bit per process that has not observed itself since the step */
	uint32_t	opened;		/* bit per device that was opened */
	uint32_t	released;	/* bit per device that was taken its memory by RELEASE */
	uint32_t	settles;	/* the CPU's LRU batches are drained before anything is observed: after an mlock */
	uint32_t	merges;		/* ksmd was asked to run */
	uint32_t	anonymous;	/* all regions are, and nothing goes to swap: of the RSS lines, RssAnon alone changes */
	uint32_t	leaving;	/* the process that is exiting because it should; else NOBODY */
	pid_t		pid[MAX_PROCESSES];

	/* The transcript: bytes in use, bytes of completed steps, offset of the current step's record. */
	size_t		used;
	size_t		committed;
	size_t		record;
	uint32_t	steps;		/* of the transcript; the number of the current one */
	uint32_t	stray_events;
	uint32_t	lost_events;
	struct rss	base;
	/* Before the first process, with OBSERVE_MEMINFO. */
	int32_t		gauges[GAUGES];
	/* The last whole observation that each process has made of each region. */
	struct stretch	observed[MAX_PROCESSES][MAX_REGIONS];

	/* Grows with everything that is done; the agent's watch on it tells slow from hung. */
	atomic_uint	progress;
	/* Futexes: 1 tells process n that it is its turn. */
	atomic_uint	go[MAX_PROCESSES];

	struct together	together;

	/* That userfaultfds have sent to their handlers in this step. */
	atomic_uint	messages;

	/* The first failure of the agent itself, "" while there is none. */
	char		error[200];
};

/* struct page_region of include/uapi/linux/fs.h; the headers of the compiler may be older. */
struct scan_range {
	uint64_t	start;
	uint64_t	end;
	uint64_t	categories;
};

/* What PAGEMAP_SCAN says of all regions, in ascending order. */
struct scan {
	struct scan_range ranges[MAX_REGIONS * MAX_HUGE_PAGES];
	unsigned int	count;
};

/* What is seen of the pages of one region. */
struct pages {
	uint64_t	pagemap[MAX_HUGE_PAGES];
	uint64_t	kpageflags[MAX_HUGE_PAGES];
	uint64_t	kpagecount[MAX_HUGE_PAGES];
	uint64_t	first_word[MAX_HUGE_PAGES];
	uint64_t	last_word[MAX_HUGE_PAGES];
	/* Whether a page has kpageflags and kpagecount, and words. */
	bool		has_kpage[MAX_HUGE_PAGES];
	bool		has_words[MAX_HUGE_PAGES];
	uint64_t	buffer[MAX_HUGE_PAGES];
};

/* What a process has beside its regions where RssAnon alone changes: the same in all programs (touch_own_memory). */
struct base {
	struct rss	rss;
	bool		known;
};

struct shared {
	struct control	control __attribute__((aligned(PAGE_BYTES)));
	uint8_t		trace_page[TRACE_PAGE_MAX] __attribute__((aligned(PAGE_BYTES)));
	struct base	base;
	struct scan	scan;
	struct pages	pages;
	/* The text of two files; each page of a region may be a mapping, of a thousand characters. */
	char		smaps[SMAPS_TEXT_MAX] __attribute__((aligned(PAGE_BYTES)));
	char		rollup[PAGE_BYTES] __attribute__((aligned(PAGE_BYTES)));
	uint8_t		bounce[MAX_HUGE_PAGES * PAGE_BYTES] __attribute__((aligned(PAGE_BYTES)));
	struct part	parts[MAX_PARTS];
	uint8_t		transcript[TRANSCRIPT_BYTES_MAX] __attribute__((aligned(PAGE_BYTES)));
};

extern struct shared *shared;

/* The part that this thread is making; NULL when it makes a step of its own. */
extern _Thread_local struct part *own_part;

/* Maps the shared memory. Returns 0, -1 with errno. */
int shared_init(void);

/* How many pages of it there are, whoever has touched them. A failure is noted. */
unsigned int shared_pages(void);

/*
 * Maps what a process needs of it to observe itself: a read maps what is around it too (do_fault_around), where each write would
 * be a fault of its own.
 */
void shared_map(void);

/* Makes it ready for a new program. */
void shared_reset(uint32_t sequence);

/* Gives `bytes` (rounded up to 8, the rounding zeroed) at the end of the transcript. */
void *transcript_append(size_t bytes);

/* Takes back what was appended beyond the first `bytes` of `part`, the last part appended. */
void transcript_trim(void *part, size_t bytes);

/* The record of the step that is being made. */
struct step_record *current_record(void);

static inline bool is_alive(unsigned int process)
{
	return shared->control.alive & 1u << process;
}

/* The first living process, or NOBODY. */
unsigned int first_alive(void);

/* Notes that the agent itself failed, with the name of errno if that is not 0; the program has no transcript then. */
__attribute__((format(printf, 1, 2)))
void note_failure(const char *format, ...);

/* The same in a process of the program, which ends. */
__attribute__((format(printf, 1, 2), noreturn))
void fail(const char *format, ...);

#endif
