/* SPDX-License-Identifier: GPL-2.0-only */
/* What the payload of a TRANSCRIPT frame is made of (protocol.h, which includes this). */
#ifndef HMMDIFF_PROTOCOL_TRANSCRIPT_H
#define HMMDIFF_PROTOCOL_TRANSCRIPT_H

enum end_kind {
	END_DONE	= 0,
	END_CRASHED	= 1,	/* `process` died of `signal` during `step` */
	END_HUNG	= 2,	/* no progress during `step` */
};

enum transcript_flag {
	/* Some process of the program could not be killed: this guest is not to be trusted with more programs. */
	TRANSCRIPT_STUCK	= 1 << 0,
	TRANSCRIPT_VM_EVENTS = 1 << 1,
	TRANSCRIPT_MEMINFO = 1 << 2,
};

/* Counters of /proc/vmstat that nothing but programs moves, as model/vm-events.ts has them. */
enum vm_event {
	VM_PGMIGRATE_SUCCESS		= 0,
	VM_PGMIGRATE_FAIL		= 1,
	VM_THP_MIGRATION_SUCCESS	= 2,
	VM_THP_FAULT_ALLOC		= 3,
	VM_THP_SPLIT_PAGE		= 4,
	VM_THP_SPLIT_PMD		= 5,
	VM_THP_SWPOUT			= 6,
	VM_PSWPIN			= 7,
	VM_PSWPOUT			= 8,
	VM_SWPIN_ZERO			= 9,
	VM_SWPOUT_ZERO			= 10,
	VM_EVENTS,
};

/* In the place of a counter that the kernel does not have. */
#define NO_VM_EVENT	UINT64_MAX

/* Lines of /proc/meminfo that nothing but programs moves, as model/meminfo.ts has them. */
enum gauge {
	GAUGE_SWAP_CACHED		= 0,
	GAUGE_UNEVICTABLE		= 1,
	GAUGE_MLOCKED			= 2,
	GAUGE_SWAP_FREE			= 3,
	GAUGE_ANON_PAGES		= 4,	/* at the end of a program, if nobody else has changed it */
	GAUGE_SHMEM			= 5,
	GAUGE_ANON_HUGE_PAGES		= 6,
	GAUGE_HUGE_PAGES_FREE		= 7,
	GAUGES,
};

/* In the place of a line that the file does not have, or that was not looked at. */
#define NO_GAUGE	INT32_MIN

/* KiB, as /proc/PID/status has them; of `shmem`, without what is mapped of the agent's own memory and program. */
struct rss {
	uint32_t	anon;
	uint32_t	file;
	uint32_t	shmem;
	uint32_t	swap;
};

struct transcript_header {
	uint32_t	end;		/* enum end_kind */
	uint32_t	flags;		/* enum transcript_flag */
	uint32_t	process;
	uint32_t	signal;
	uint32_t	step;
	uint32_t	steps;		/* completed steps, which follow */
	uint32_t	stray_events;	/* trace events at addresses outside of all regions; not shipped */
	uint32_t	lost_events;	/* trace events that the ring buffer or MAX_STEP_EVENTS dropped */
	uint32_t	stacks;		/* texts about the processes of a hung program */
	uint32_t	final_events;
	struct rss	base;		/* of the first process before the first step, with OBSERVE_STATUS */
};

enum outcome_kind {
	OUTCOME_OK	= 0,
	OUTCOME_ERRNO	= 1,	/* code: errno */
	OUTCOME_SIGNAL	= 2,	/* code: signal; page: page of the region that was accessed */
};

enum step_flag {
	STEP_HAS_COUNTS	= 1 << 0,	/* cpages and faults: the ioctl returned 0 */
	STEP_HAS_DATA	= 1 << 1,
	STEP_HAS_BYTES	= 1 << 2,
	STEP_HAS_PARTS	= 1 << 3,
	STEP_HAS_MEMINFO = 1 << 4,
};

struct step_record {
	uint32_t	step;		/* 0-based */
	uint8_t		outcome;	/* enum outcome_kind */
	uint8_t		flags;		/* enum step_flag */
	uint16_t	code;
	uint32_t	page;
	uint16_t	data;
	uint16_t	messages;	/* that userfaultfds have sent */
	uint32_t	processes;	/* of a part: how often its pages had lost what it wrote the round before */
	uint32_t	events;		/* of a part: rounds */
	uint64_t	cpages;
	uint64_t	faults;
};

struct page_record {
	uint64_t	word;		/* the page's first */
	uint32_t	uniform;	/* 1: all words of the page are equal */
	uint32_t	reserved;
};

enum process_flag {
	PROCESS_HAS_SMAPS	= 1 << 0,
	PROCESS_HAS_ROLLUP	= 1 << 1,
	PROCESS_ANON_ALONE	= 1 << 2,	/* of `rss`, only `anon` was looked at */
	PROCESS_HAS_SHMEM	= 1 << 3,	/* `rss.shmem` is as it is described there */
	PROCESS_WITHOUT_RSS	= 1 << 4,	/* `rss` was not looked at */
};

struct process_record {
	uint8_t		process;
	uint8_t		regions;
	uint8_t		flags;		/* enum process_flag */
	uint8_t		reserved;
	uint32_t	mappings;
	struct rss	rss;		/* with OBSERVE_STATUS */
};

/* In KiB but for the last: Size, Rss, ..., THPeligible, as model/observation.ts has them. What is not there is 0. */
#define SMAPS_FIELDS	24

struct smaps_fields {
	uint32_t	kib[SMAPS_FIELDS];
};

#define VM_FLAGS_BYTES	64

struct smaps_record {
	uint64_t		start;		/* addresses */
	uint64_t		end;
	struct smaps_fields	fields;
	char			vm_flags[VM_FLAGS_BYTES];	/* the line VmFlags; 0 behind it */
};

enum region_flag {
	REGION_HAS_MINCORE	= 1 << 0,
	REGION_HAS_SCAN		= 1 << 1,
	/* To the last byte what the process observed of the region the last time; all else in the record is 0. */
	REGION_AS_BEFORE	= 1 << 2,
};

/* What mincore(2) says of a page is a byte; this one: the page is not mapped (ENOMEM). */
#define MINCORE_UNMAPPED	0xff

struct region_record {
	uint8_t		process;
	uint8_t		region;
	uint8_t		pages;		/* of a small region; 0 when the pagemap was not asked for */
	uint8_t		snapshots;
	uint16_t	huge_pages;	/* of a huge region; 0 when the pagemap was not asked for */
	uint16_t	flags;		/* enum region_flag */
	uint64_t	kpage_mask;	/* bit n: page n has kpageflags and kpagecount */
	uint64_t	words_mask;	/* bit n: page n has words */
	uint32_t	ranges;
	uint32_t	reserved;
};

struct run_record {
	uint64_t	value;		/* of the run's first page */
	uint64_t	step;		/* from page to page, modulo 2^64 */
	uint32_t	count;		/* pages; not 0 */
	uint32_t	present;	/* 0: these pages have no value */
};

/* A struct page_region of PAGEMAP_SCAN; pages that no range has are in no mapping. */
struct scan_record {
	uint16_t	first;
	uint16_t	count;
	uint32_t	categories;
};

struct snapshot_record {
	uint8_t		device;
	uint8_t		outcome;	/* enum outcome_kind */
	uint16_t	code;
	uint32_t	bytes;		/* 0 when the call failed */
};

enum event_name {
	EVENT_SET_MIGRATION_PTE		= 1,
	EVENT_REMOVE_MIGRATION_PTE	= 2,
	EVENT_SET_MIGRATION_PMD		= 3,
	EVENT_REMOVE_MIGRATION_PMD	= 4,
	EVENT_MM_MIGRATE_PAGES		= 5,
	EVENT_MM_MIGRATE_PAGES_START	= 6,
	EVENT_PAGE_FAULT_USER		= 7,
};

struct event_record {
	uint64_t	addr;		/* 0 for events that have none */
	uint64_t	entry;		/* raw page-table entry, or error code of a fault; 0 for events that have none */
	uint32_t	name;		/* enum event_name */
	int32_t		order;
};

_Static_assert(sizeof(struct transcript_header) == 56, "transcript_header");
_Static_assert(sizeof(struct step_record) == 40, "step_record");
_Static_assert(sizeof(struct page_record) == 16, "page_record");
_Static_assert(sizeof(struct process_record) == 24, "process_record");
_Static_assert(sizeof(struct smaps_fields) == 96, "smaps_fields");
_Static_assert(sizeof(struct smaps_record) == 176, "smaps_record");
_Static_assert(sizeof(struct region_record) == 32, "region_record");
_Static_assert(sizeof(struct run_record) == 24, "run_record");
_Static_assert(sizeof(struct scan_record) == 8, "scan_record");
_Static_assert(sizeof(struct snapshot_record) == 8, "snapshot_record");
_Static_assert(sizeof(struct event_record) == 24, "event_record");
_Static_assert(MAX_REGION_PAGES <= 64, "the masks of a region_record have 64 bits");

#endif
