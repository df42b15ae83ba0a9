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
 *		`final_events` times struct event_record: since the last step, and while the processes ended,
 *		if TRANSCRIPT_VM_EVENTS: u64 for each enum vm_event, by how much it went up from before the first
 *		process to after the end of the last,
 *		if TRANSCRIPT_MEMINFO: i32 for each enum gauge, by how much it differs then from before.
 * ERROR	payload: text. The program with this sequence number was not run, or the agent itself failed on it.
 *		Sequence 0: the stream made no sense; the agent ends with status 2.
 *
 * A step is
 *	struct step_record
 *	if STEP_HAS_DATA: `data` times struct page_record
 *	if STEP_HAS_BYTES: `data` bytes and padding (what SNAPSHOT returned)
 *	if STEP_HAS_PARTS: `data` times a part: struct step_record, and `data` times struct page_record if STEP_HAS_DATA
 *	`processes` times a process observation, in ascending order
 *	if STEP_HAS_MEMINFO: i32 for each enum gauge and padding, by how much it differs from before the first process
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

_Static_assert(sizeof(struct frame_header) == 16, "frame_header");
_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "the protocol is written as the structs lie in memory");

#include "protocol_program.h"
#include "protocol_transcript.h"

#endif
