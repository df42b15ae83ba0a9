// SPDX-License-Identifier: GPL-2.0-only
/*
 * The program frame, checked before anything is run: the agent must survive any bytes. The host checks the same
 * with better messages (harness/programs/encode.ts).
 */
#include <stdarg.h>
#include <stdio.h>

#include "files.h"
#include "program.h"

struct program program;

/* What is known before the run about each process. */
struct lives {
	bool	alive[MAX_PROCESSES];
	bool	used[MAX_PROCESSES];
	bool	open[MAX_PROCESSES][MAX_DEVICES];
};

static char message[160];

__attribute__((format(printf, 1, 2)))
static const char *wrong(const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(message, sizeof(message), format, arguments);
	va_end(arguments);
	return message;
}

static const char *check_header(size_t length)
{
	const struct program_header *h = &program.header;

	if (length < sizeof(*h))
		return wrong("%zu bytes are too few for a program header", length);
	if (h->regions == 0 || h->regions > MAX_REGIONS)
		return wrong("%u regions, not 1..%u", h->regions, MAX_REGIONS);
	for (unsigned int r = 0; r < h->regions; r++)
		if (h->pages[r] == 0 || h->pages[r] > (is_huge(h->pages[r]) ? MAX_HUGE_PAGES : MAX_REGION_PAGES))
			return wrong("region %u has %u pages, not 1..%u or 1..%u times %u", r, h->pages[r],
				     MAX_REGION_PAGES, MAX_REGION_PMDS, PMD_PAGES);
	for (unsigned int r = 0; r < MAX_REGIONS; r++)
		if (h->backing[r] > BACKING_PRIVATE_FILLED_SHMEM ||
		    (h->backing[r] && (r >= h->regions || is_huge(h->pages[r]) != is_hugetlb(h->backing[r]))))
			return wrong("region %u cannot have backing %u", r, h->backing[r]);
	if (h->steps == 0 || h->steps > MAX_STEPS)
		return wrong("%u steps, not 1..%u", h->steps, MAX_STEPS);
	if (length != sizeof(*h) + h->steps * sizeof(struct program_step))
		return wrong("%zu bytes do not hold %u steps", length, h->steps);
	if (h->limit_ms == 0)
		return wrong("no time limit");
	if (h->observe & ~OBSERVE_ALL)
		return wrong("unknown observations 0x%x", h->observe & ~OBSERVE_ALL);
	if ((h->observe & (OBSERVE_KPAGE | OBSERVE_WORDS | OBSERVE_MINCORE)) && !(h->observe & OBSERVE_PAGEMAP))
		return wrong("kpage, words and mincore cannot be observed without pagemap");
	if (h->observe & OBSERVE_ROLLUP && !(h->observe & OBSERVE_SMAPS))
		return wrong("smaps_rollup cannot be observed without smaps");
	if (h->observe & OBSERVE_SMAPS && !h->smaps_every)
		return wrong("smaps at no step");
	if (h->flags & ~PROGRAM_ANNOUNCE)
		return wrong("unknown flags 0x%x", h->flags & ~PROGRAM_ANNOUNCE);
	return NULL;
}

/* What an operation takes; its range of pages, and the most that its argument and its option may be. */
struct operands {
	bool		region;
	bool		range;
	const char	*argument;
	unsigned int	most;
	unsigned int	option_most;
};

#define ON_RANGE	{ .region = true, .range = true }
#define ON_DEVICE	{ .argument = "device", .most = MAX_DEVICES - 1 }
#define IOCTL		{ .region = true, .range = true, .argument = "device", .most = MAX_DEVICES - 1,	\
			  .option_most = FLAW_UNKNOWN }

/* Steps that may be parts of OP_TOGETHER: on small regions, and none that another's end would be needed for. */
#define IS_PART(op)	((op) == OP_MMAP || (op) == OP_MUNMAP || (op) == OP_CPU_READ || (op) == OP_CPU_WRITE ||	\
			 (op) == OP_FORK || (op) == OP_CLOSE || (op) == OP_READ || (op) == OP_WRITE ||		\
			 (op) == OP_MIGRATE_TO_DEV || (op) == OP_MIGRATE_TO_SYS ||				\
			 (op) == OP_MPROTECT || (op) == OP_MADVISE)

static const struct operands operands[OP_LAST + 1] = {
	[OP_MMAP]		= { .region = true, .argument = "protection", .most = PROTECTION_READ_WRITE },
	[OP_MUNMAP]		= ON_RANGE,
	[OP_CPU_READ]		= ON_RANGE,
	[OP_CPU_WRITE]		= { .region = true, .range = true, .option_most = PART_ALONE },
	[OP_FORK]		= { .argument = "process", .most = MAX_PROCESSES - 1 },
	[OP_EXIT]		= { .argument = "argument", .most = 0 },
	[OP_OPEN]		= ON_DEVICE,
	[OP_CLOSE]		= ON_DEVICE,
	[OP_READ]		= IOCTL,
	[OP_WRITE]		= IOCTL,
	[OP_MIGRATE_TO_DEV]	= IOCTL,
	[OP_MIGRATE_TO_SYS]	= IOCTL,
	[OP_SNAPSHOT]		= IOCTL,
	[OP_READ_UNLOCKED]	= IOCTL,
	[OP_EXCLUSIVE]		= IOCTL,
	[OP_CHECK_EXCLUSIVE]	= IOCTL,
	[OP_FLAGS]		= { .argument = "device", .most = MAX_DEVICES - 1, .option_most = FLAGS_OTHER },
	[OP_RELEASE]		= IOCTL,
	[OP_PIN]		= ON_RANGE,
	[OP_UNPIN]		= { .argument = "argument", .most = 0 },
	[OP_RELOAD]		= { .argument = "argument", .most = 0 },
	[OP_MLOCK]		= ON_RANGE,
	[OP_MUNLOCK]		= ON_RANGE,
	[OP_MREMAP]		= { .region = true, .range = true, .argument = "region of the target", .most = MAX_REGIONS - 1,
				    .option_most = REMAP_FLAW_UNKNOWN_FLAG << 8 | REMAP_RESIZE },
	[OP_UFFD_OPEN]		= { .argument = "mode", .most = USERFAULT_UNPOPULATED },
	[OP_UFFD_REGISTER]	= { .region = true, .range = true, .argument = "kind",
				    .most = USERFAULT_MISSING | USERFAULT_WP },
	[OP_UFFD_UNREGISTER]	= ON_RANGE,
	[OP_UFFD_PROTECT]	= ON_RANGE,
	[OP_UFFD_UNPROTECT]	= ON_RANGE,
	[OP_UFFD_ZEROPAGE]	= ON_RANGE,
	[OP_UFFD_COPY]		= { .region = true, .range = true, .argument = "protection", .most = 1 },
	[OP_UFFD_MOVE]		= { .region = true, .range = true, .argument = "region of the target",
				    .most = MAX_REGIONS - 1, .option_most = 1 },
	[OP_KSMD]		= { .argument = "argument", .most = 0 },
	[OP_SWAPON]		= { .argument = "argument", .most = 0 },
	[OP_SWAPOFF]		= { .argument = "argument", .most = 0 },
	[OP_CLEAR_REFS]		= { .argument = "argument", .most = 0 },
	[OP_MPROTECT]		= { .region = true, .range = true, .argument = "protection",
				    .most = PROTECTION_READ_WRITE },
	[OP_TOGETHER]		= { .argument = "actors", .most = MAX_ACTORS, .option_most = UINT32_MAX },
	[OP_MADVISE]		= { .region = true, .range = true, .argument = "advice", .most = ADVICE_UNMERGEABLE },
};

static const char *check_target(unsigned int i, const struct program_step *s)
{
	if (s->op == OP_MREMAP && (s->option & 0xff) > REMAP_RESIZE)
		return wrong("step %u: unknown kind of mremap %u", i, s->option & 0xff);
	if (s->argument >= program.header.regions)
		return wrong("step %u: region %u does not exist", i, s->argument);
	if (s->to_first + s->to_count > program.header.pages[s->argument])
		return wrong("step %u: pages %u+%u are not within region %u", i, s->to_first, s->to_count,
			     s->argument);
	return NULL;
}

static const char *check_operands(unsigned int i, const struct program_step *s)
{
	const struct operands *o = &operands[s->op <= OP_LAST ? s->op : 0];

	if (s->op < OP_MMAP || s->op > OP_LAST)
		return wrong("step %u: unknown operation %u", i, s->op);
	if (s->by >= MAX_PROCESSES)
		return wrong("step %u: process %u, not 0..%u", i, s->by, MAX_PROCESSES - 1);
	if (o->region && s->region >= program.header.regions)
		return wrong("step %u: region %u does not exist", i, s->region);
	if (o->range && (s->count == 0 || s->first + s->count > program.header.pages[s->region]))
		return wrong("step %u: pages %u+%u are not within region %u", i, s->first, s->count, s->region);
	if (o->argument && s->argument > o->most)
		return wrong("step %u: %s %u, not 0..%u", i, o->argument, s->argument, o->most);
	if (s->option > o->option_most)
		return wrong("step %u: option %u, not 0..%u", i, s->option, o->option_most);
	if (s->op == OP_MREMAP || s->op == OP_UFFD_MOVE)
		return check_target(i, s);
	return NULL;
}

static const char *check_lives(unsigned int i, const struct program_step *s, struct lives *l)
{
	if (!l->alive[s->by])
		return wrong("step %u: process %u does not live", i, s->by);

	switch (s->op) {
	case OP_FORK:
		if (l->used[s->argument])
			return wrong("step %u: there was a process %u before", i, s->argument);
		l->alive[s->argument] = l->used[s->argument] = true;
		for (unsigned int d = 0; d < MAX_DEVICES; d++)
			l->open[s->argument][d] = l->open[s->by][d];
		break;
	case OP_EXIT:
		l->alive[s->by] = false;
		break;
	case OP_OPEN:
		if (l->open[s->by][s->argument])
			return wrong("step %u: process %u has device %u open", i, s->by, s->argument);
		l->open[s->by][s->argument] = true;
		break;
	case OP_CLOSE:
		l->open[s->by][s->argument] = false;
		break;
	}
	return NULL;
}

/* The parts of step `i` are there and may be parts. */
static const char *check_parts(unsigned int i, const struct program_step *s)
{
	if (!s->argument || !s->count || s->count > MAX_PARTS || i + s->count >= program.header.steps)
		return wrong("step %u: %u actors with %u parts", i, s->argument, s->count);
	if (!TOGETHER_ROUNDS(s->option))
		return wrong("step %u: no rounds", i);
	for (unsigned int part = 0; part < s->count; part++) {
		const struct program_step *p = &s[1 + part];

		if (!IS_PART(p->op) || p->to_first >= s->argument)
			return wrong("step %u: part %u: operation %u of actor %u", i, part, p->op, p->to_first);
		if (p->region < program.header.regions && is_huge(program.header.pages[p->region]))
			return wrong("step %u: part %u: a huge region", i, part);
		for (unsigned int other = 0; other < part; other++)
			if (s[1 + other].to_first == p->to_first && s[1 + other].by != p->by)
				return wrong("step %u: actor %u is two processes", i, p->to_first);
	}
	return NULL;
}

const char *check_program(size_t length)
{
	struct lives lives = { .alive = { true }, .used = { true } };
	const char *error = check_header(length);

	for (unsigned int i = 0; !error && i < program.header.steps; i++) {
		error = check_operands(i, &program.steps[i]);
		if (!error)
			error = check_lives(i, &program.steps[i], &lives);
		if (!error && program.steps[i].op == OP_TOGETHER)
			error = check_parts(i, &program.steps[i]);
	}
	return error;
}
