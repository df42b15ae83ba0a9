/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the host and the agent say to each other over a byte stream (an ssh channel or a virtio-serial port).
 * The host's half is harness/programs/protocol.ts, encode.ts and transcript.ts.
 *
 *	agent: HELLO
 *	host:  PROGRAM 1, PROGRAM 2, ...	need not wait for answers
 *	agent: TRANSCRIPT 1 | ERROR 1, ...	one answer per program, in their order
 *	host:  closes its side; the agent ends with status 0
 *
 * Every frame is a struct frame_header and `length` bytes of payload. All numbers are little-endian, all structs
 * multiples of 8 bytes long, and every part of a payload starts at a multiple of 8 bytes (shorter parts are padded
 * with zeros), so that both sides may overlay the structs.
 *
 * HELLO	payload: JSON text, see hello.c.
 * PROGRAM	payload: struct program_header, then `steps` times struct program_step. A step OP_TOGETHER has its parts
 *		behind it, `count` of them, those of one actor after the other; all of them are one step of the transcript.
 * TRANSCRIPT	payload: struct transcript_header, then
 *		`steps` times a step: struct step_record and what follows it (below),
 *		`stacks` times a text: u64 length, bytes, padding,
 *		`final_events` times struct event_record: since the last step, and while the processes ended.
 * ERROR	payload: text. The program with this sequence number was not run, or the agent itself failed on it.
 *		Sequence 0: the stream made no sense; the agent ends with status 2.
 *
 * A step is
 *	struct step_record
 *	if STEP_HAS_DATA: `data` times struct page_record
 *	if STEP_HAS_BYTES: `data` bytes and padding (what SNAPSHOT returned)
 *	if STEP_HAS_PARTS: `data` times a part: struct step_record, and `data` times struct page_record if STEP_HAS_DATA
 *	`processes` times a process observation, in ascending order
 *	`events` times struct event_record
 *
 * A process observation is
 *	struct process_record
 *	`mappings` times struct smaps_record: the mappings of regions, in ascending order
 *	if PROCESS_HAS_ROLLUP: struct smaps_fields of smaps_rollup, and of all mappings that are of no region
 *	`regions` times a region observation, in ascending order
 *
 * A region observation is
 *	struct region_record, and nothing behind it if REGION_AS_BEFORE
 *	u64 pagemap[pages]
 *	u64 kpageflags[bits set in kpage_mask], u64 kpagecount[the same]
 *	u64 words[bits set in words_mask][2]: first and last word of the page
 *	if `huge_pages`: five columns, of pagemap, kpageflags, kpagecount, first words, last words
 *	if REGION_HAS_MINCORE: a byte per page and padding
 *	`ranges` times struct scan_record, in ascending order (REGION_HAS_SCAN: even when there are none)
 *	`snapshots` times: struct snapshot_record, `bytes` bytes and padding
 *
 * A column has a value, or none, for each page of a huge region: u64 number of runs, then so many struct run_record,
 * which cover the pages in ascending order. Neighbours mostly differ by a constant (frames go up by one, flags stay the
 * same), so that 512 pages are a run or two.
 */
#ifndef HMMDIFF_PROTOCOL_H
#define HMMDIFF_PROTOCOL_H

#include <stddef.h>
#include <stdint.h>

#define PROTOCOL_VERSION	3
#define FRAME_MAGIC		0x46444d48u	/* "HMDF" */

/* The limits and addresses of model/program.ts. */
#define MAX_PROCESSES		4
#define MAX_REGIONS		4
#define MAX_REGION_PAGES	64
#define MAX_STEPS		1024
#define MAX_DEVICES		4
#define PAGE_BYTES		4096
#define PAGE_WORDS		(PAGE_BYTES / 8)
#define REGION_BASE		0x200000000000ull
#define REGION_STRIDE		0x40000000ull
#define REGION_END		(REGION_BASE + MAX_REGIONS * REGION_STRIDE)
#define REGION_OFFSET_PAGES	16
/* A huge region is a multiple of PMD_PAGES long and begins at a multiple of their size; others are small. */
#define PMD_PAGES		512
#define MAX_REGION_PMDS		3
#define MAX_HUGE_PAGES		(MAX_REGION_PMDS * PMD_PAGES)

/*
 * Trace events beyond this many in one step are counted as lost. The most that a program can cause are 49152: the close
 * of a device that holds all pages of all regions, each mapped by all processes, sets and removes an entry for each.
 */
#define MAX_STEP_EVENTS		65536

enum frame_type {
	FRAME_HELLO		= 1,
	FRAME_PROGRAM		= 2,
	FRAME_TRANSCRIPT	= 3,
	FRAME_ERROR		= 4,
};

struct frame_header {
	uint32_t	magic;
	uint16_t	type;
	uint16_t	reserved;	/* 0 */
	uint32_t	sequence;	/* of the program, chosen by the host, not 0; 0 in HELLO */
	uint32_t	length;		/* bytes of payload */
};

/* What to observe after every step; what is about single pages needs pagemap. */
enum observe_bit {
	OBSERVE_PAGEMAP		= 1 << 0,
	OBSERVE_KPAGE		= 1 << 1,	/* kpageflags and kpagecount of present pages */
	OBSERVE_WORDS		= 1 << 2,	/* first and last word of present pages */
	OBSERVE_SNAPSHOT	= 1 << 3,	/* HMM_DMIRROR_SNAPSHOT through fds that the process opened itself */
	OBSERVE_TRACE		= 1 << 4,
	OBSERVE_STATUS		= 1 << 5,	/* RSS lines of /proc/PID/status */
	OBSERVE_MINCORE		= 1 << 6,
	OBSERVE_SCAN		= 1 << 7,	/* PAGEMAP_SCAN */
	OBSERVE_SMAPS		= 1 << 8,	/* at every `smaps_every`th step, and at the last */
	OBSERVE_ROLLUP		= 1 << 9,	/* smaps_rollup, where smaps are taken at the last step */
	OBSERVE_ALL		= (1 << 10) - 1,
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
	OP_LAST		= OP_SWAPOFF,
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
	/* MREMAP: where to, and the new length; else 0. Of a part of OP_TOGETHER, to_first is its actor. */
	uint16_t	to_first;
	uint16_t	to_count;
};

enum end_kind {
	END_DONE	= 0,
	END_CRASHED	= 1,	/* `process` died of `signal` during `step` */
	END_HUNG	= 2,	/* no progress during `step` */
};

enum transcript_flag {
	/* Some process of the program could not be killed: this guest is not to be trusted with more programs. */
	TRANSCRIPT_STUCK	= 1 << 0,
};

/* KiB, as /proc/PID/status has them. */
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

_Static_assert(sizeof(struct frame_header) == 16, "frame_header");
_Static_assert(sizeof(struct program_header) == 32, "program_header");
_Static_assert(sizeof(struct program_step) == 16, "program_step");
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
_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "the protocol is written as the structs lie in memory");

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
