// SPDX-License-Identifier: GPL-2.0-only
/*
 * The operations. Whatever they need beyond the regions under test lies in `shared`; the outcome, and what the call
 * read, go into the step's record.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <sys/mman.h>
#include <unistd.h>

#include "device_ops.h"
#include "files.h"
#include "guard.h"
#include "ksm.h"
#include "ops.h"
#include "pin.h"
#include "process.h"
#include "program.h"
#include "reload.h"
#include "shared.h"
#include "step.h"
#include "swap.h"
#include "together.h"
#include "userfault.h"

/* glibc 2.37 */
#ifndef MADV_COLLAPSE
#define MADV_COLLAPSE	25
#endif
static const int protections[] = {
	[PROTECTION_NONE] = PROT_NONE,
	[PROTECTION_READ] = PROT_READ,
	[PROTECTION_READ_WRITE] = PROT_READ | PROT_WRITE,
};

static void do_mmap(const struct program_step *s)
{
	void *start = (void *)region_address(s->region, 0);

	if (mmap(start, program.header.pages[s->region] * PAGE_BYTES, protections[s->argument],
		 map_flags(s->region) | MAP_FIXED_NOREPLACE, map_file(s->region), 0) == MAP_FAILED)
		record_errno(errno);
}

void drain_lru(void)
{
	static char page[PAGE_BYTES] __attribute__((aligned(PAGE_BYTES)));

	madvise(page, sizeof(page), MADV_COLD);
}

static void do_madvise(const struct program_step *s)
{
	static const int advice[] = {
		[ADVICE_DONTNEED] = MADV_DONTNEED,
		[ADVICE_FREE] = MADV_FREE,
		[ADVICE_COLD] = MADV_COLD,
		[ADVICE_PAGEOUT] = MADV_PAGEOUT,
		[ADVICE_HUGEPAGE] = MADV_HUGEPAGE,
		[ADVICE_NOHUGEPAGE] = MADV_NOHUGEPAGE,
		[ADVICE_COLLAPSE] = MADV_COLLAPSE,
		[ADVICE_MERGEABLE] = MADV_MERGEABLE,
		[ADVICE_UNMERGEABLE] = MADV_UNMERGEABLE,
	};

	succeeded(madvise((void *)start_of(s), s->count * PAGE_BYTES, advice[s->argument]));
	/* What the advice leaves to the CPU's LRU batches is done when the step is over. */
	drain_lru();
}

static void do_mremap(const struct program_step *s)
{
	static const int flags[] = {
		[REMAP_MOVE]	= MREMAP_MAYMOVE | MREMAP_FIXED,
		[REMAP_KEEP]	= MREMAP_MAYMOVE | MREMAP_FIXED | MREMAP_DONTUNMAP,
		[REMAP_RESIZE]	= 0,
	};
	const enum remap_kind kind = s->option & 0xff;
	uint64_t from = start_of(s), to = region_address(s->argument, s->to_first);
	int with = flags[kind];

	switch ((enum remap_flaw)(s->option >> 8)) {
	case REMAP_FLAW_NONE:
		break;
	case REMAP_FLAW_MISALIGNED:
		from++;
		break;
	case REMAP_FLAW_MISALIGNED_TARGET:
		to++;
		break;
	case REMAP_FLAW_BEYOND:
		to = -(uint64_t)PAGE_BYTES;
		break;
	case REMAP_FLAW_IMMOVABLE:
		with &= ~MREMAP_MAYMOVE;
		break;
	case REMAP_FLAW_UNKNOWN_FLAG:
		with |= 8;
		break;
	}
	if (mremap((void *)from, s->count * PAGE_BYTES, s->to_count * PAGE_BYTES, with, (void *)to) == MAP_FAILED)
		record_errno(errno);
}

static void do_clear_refs(void)
{
	const int file = open("/proc/self/clear_refs", O_WRONLY | O_CLOEXEC);

	if (!succeeded(file))
		return;
	succeeded(write(file, "4", 1));
	close(file);
}

static void record_guard(const struct program_step *s)
{
	struct step_record *record = current_record();

	record->outcome = OUTCOME_SIGNAL;
	record->code = guard.signal;
	record->page = s->first + (guard.address - start_of(s)) / PAGE_BYTES;
}

static void do_cpu_read(const struct program_step *s)
{
	const uint64_t start = start_of(s);
	struct page_record *data = append_data(s->count);

	if (GUARD(start, start + s->count * PAGE_BYTES)) {
		for (unsigned int i = 0; i < s->count; i++)
			data[i] = look_at((const uint64_t *)(start + i * PAGE_BYTES));
		guard_off();
	} else {
		drop_data(data);
		record_guard(s);
	}
}

/* Whether a page that nothing else writes to has lost what this part wrote to it the round before. */
static bool has_lost(const struct program_step *s, unsigned int page, const volatile uint64_t *words)
{
	uint64_t last;

	if (!own_part || !own_part->round || !(s->option & PART_ALONE))
		return false;
	last = token_of(s, page, own_part->round - 1);
	return words[0] != last || words[PAGE_WORDS - 1] != last;
}

static void do_cpu_write(const struct program_step *s)
{
	const unsigned int round = own_part ? own_part->round : 0;
	const uint64_t start = start_of(s);

	if (GUARD(start, start + s->count * PAGE_BYTES)) {
		for (unsigned int i = 0; i < s->count; i++) {
			volatile uint64_t *words = (uint64_t *)(start + i * PAGE_BYTES);
			const uint64_t token = token_of(s, i, round);

			if (has_lost(s, i, words))
				own_part->record.processes++;
			for (unsigned int w = 0; w < PAGE_WORDS; w++)
				words[w] = token;
		}
		guard_off();
	} else {
		record_guard(s);
	}
}

static bool do_fork(const struct program_step *s)
{
	struct control *c = &shared->control;
	const pid_t pid = spawn(s->argument, CLONE_PARENT);

	if (pid == 0) {
		become_child(s->argument);
		return true;
	}
	if (succeeded(pid))
		__atomic_fetch_or(&c->alive, 1u << s->argument, __ATOMIC_SEQ_CST);
	return false;
}

static void do_reload(void)
{
	if (!succeeded(unload_test_hmm()))
		return;
	if (load_test_hmm())
		fail("loading test_hmm anew");
	/* What the agent would have to make anew. */
	shared->control.opened = 0;
	shared->control.released = 0;
}

static void do_uffd_copy(const struct program_step *s)
{
	fill_bounce(s, 0);
	succeeded(userfault_copy(start_of(s), bounce(), s->count * PAGE_BYTES, s->argument));
}

bool run_step(unsigned int step)
{
	const struct program_step *s = &program.steps[step];

	switch (s->op) {
	case OP_MMAP:
		do_mmap(s);
		break;
	case OP_MUNMAP:
		succeeded(munmap((void *)start_of(s), s->count * PAGE_BYTES));
		break;
	case OP_MADVISE:
		do_madvise(s);
		break;
	case OP_PIN:
		succeeded(pin_pages(start_of(s), s->count * PAGE_BYTES));
		break;
	case OP_UNPIN:
		succeeded(unpin_pages());
		break;
	case OP_RELOAD:
		do_reload();
		break;
	case OP_SWAPON:
		succeeded(swap_on());
		break;
	case OP_SWAPOFF:
		succeeded(swap_off());
		break;
	case OP_MLOCK:
		shared->control.settles = true;
		succeeded(mlock((void *)start_of(s), s->count * PAGE_BYTES));
		break;
	case OP_MUNLOCK:
		succeeded(munlock((void *)start_of(s), s->count * PAGE_BYTES));
		break;
	case OP_MREMAP:
		do_mremap(s);
		break;
	case OP_KSMD:
		shared->control.merges = true;
		succeeded(run_ksmd());
		break;
	case OP_UFFD_OPEN:
		succeeded(userfault_open(s->argument));
		break;
	case OP_UFFD_REGISTER:
		succeeded(userfault_register(start_of(s), s->count * PAGE_BYTES, s->argument));
		break;
	case OP_UFFD_UNREGISTER:
		succeeded(userfault_unregister(start_of(s), s->count * PAGE_BYTES));
		break;
	case OP_UFFD_PROTECT:
	case OP_UFFD_UNPROTECT:
		succeeded(userfault_protect(start_of(s), s->count * PAGE_BYTES, s->op == OP_UFFD_PROTECT));
		break;
	case OP_UFFD_ZEROPAGE:
		succeeded(userfault_zeropage(start_of(s), s->count * PAGE_BYTES));
		break;
	case OP_UFFD_MOVE:
		succeeded(userfault_move(start_of(s), region_address(s->argument, s->to_first),
					 s->count * PAGE_BYTES, s->option));
		break;
	case OP_UFFD_COPY:
		do_uffd_copy(s);
		break;
	case OP_CLEAR_REFS:
		do_clear_refs();
		break;
	case OP_MPROTECT:
		succeeded(mprotect((void *)start_of(s), s->count * PAGE_BYTES, protections[s->argument]));
		break;
	case OP_CPU_READ:
		do_cpu_read(s);
		break;
	case OP_CPU_WRITE:
		do_cpu_write(s);
		break;
	case OP_FORK:
		return do_fork(s);
	case OP_EXIT:
		shared->control.leaving = self.number;
		_exit(0);
	case OP_TOGETHER:
		play_together(step);
		break;
	default:
		run_device_step(s);
		break;
	}
	return false;
}
