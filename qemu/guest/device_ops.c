// SPDX-License-Identifier: GPL-2.0-only
/* The operations of lib/test_hmm: its devices' descriptors and ioctls. */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <test_hmm_uapi.h>

#include "device_ops.h"
#include "process.h"
#include "step.h"

/* Not in every kernel's header; one that does not know it says EINVAL. */
#ifndef HMM_DMIRROR_FLAGS
#define HMM_DMIRROR_FLAGS		_IOWR('H', 0x08, struct hmm_dmirror_cmd)
#endif
#ifndef HMM_DMIRROR_READ_UNLOCKED
#define HMM_DMIRROR_READ_UNLOCKED	_IOWR('H', 0x09, struct hmm_dmirror_cmd)
#endif

/* No process ever maps the page before the first region. */
#define UNMAPPED	(REGION_BASE - PAGE_BYTES)

static int open_device(unsigned int device)
{
	char path[32];

	snprintf(path, sizeof(path), "/dev/hmm_dmirror%u", device);
	return open(path, O_RDWR | O_CLOEXEC);
}

void reopen_device(unsigned int device)
{
	self.device[device] = open_device(device);
	if (self.device[device] < 0)
		fail("opening device %u again", device);
	self.own[device] = true;
}

static void do_open(const struct program_step *s)
{
	self.device[s->argument] = open_device(s->argument);
	self.own[s->argument] = succeeded(self.device[s->argument]);
	shared->control.opened |= 1u << s->argument;
}

static void do_close(const struct program_step *s)
{
	succeeded(close(self.device[s->argument]));
	self.device[s->argument] = -1;
	self.own[s->argument] = false;
}

/*
 * One test_hmm ioctl on the step's pages, with bounce() as its buffer, and with the flaw that the step has. A
 * device that is not open is EBADF.
 */
static bool do_ioctl(const struct program_step *s, unsigned long request)
{
	struct step_record *record = current_record();
	struct hmm_dmirror_cmd cmd = {
		.addr = start_of(s),
		.ptr = (uintptr_t)bounce(),
		.npages = s->count,
	};
	void *argument = &cmd;

	switch ((enum step_flaw)s->option) {
	case FLAW_NONE:
		break;
	case FLAW_MISALIGNED:
		cmd.addr++;
		break;
	case FLAW_NO_PAGES:
		cmd.npages = 0;
		break;
	case FLAW_WRAPS:
		cmd.npages = -(cmd.addr / PAGE_BYTES);
		break;
	case FLAW_EXCESS_PAGES:
		cmd.npages += 1ull << 52;
		break;
	case FLAW_BAD_BUFFER:
		cmd.ptr = UNMAPPED;
		break;
	case FLAW_BAD_COMMAND:
		argument = (void *)UNMAPPED;
		break;
	case FLAW_UNKNOWN:
		request = _IOWR('H', 0x7f, struct hmm_dmirror_cmd);
		break;
	}
	if (!succeeded(ioctl(self.device[s->argument], request, argument)))
		return false;
	record->flags |= STEP_HAS_COUNTS;
	record->cpages = cmd.cpages;
	record->faults = cmd.faults;
	return true;
}

static void do_flags(const struct program_step *s)
{
	struct step_record *record = current_record();
	struct hmm_dmirror_cmd cmd = {
		.addr = REGION_BASE,
		.ptr = (uintptr_t)bounce(),
		.npages = s->option,
	};

	if (succeeded(ioctl(self.device[s->argument], HMM_DMIRROR_FLAGS, &cmd)))
		record->flags |= STEP_HAS_COUNTS;
	record->cpages = cmd.cpages;
	record->faults = cmd.faults;
}

static void do_device_read(const struct program_step *s, unsigned long request)
{
	struct page_record *data;

	/* Pages that the kernel should have filled and did not must not look like those of the step before. */
	for (unsigned int i = 0; i < s->count; i++)
		memset(bounce() + i * PAGE_BYTES, 0xa5, PAGE_BYTES);
	if (!do_ioctl(s, request))
		return;
	data = append_data(s->count);
	for (unsigned int i = 0; i < s->count; i++)
		data[i] = look_at((const uint64_t *)(bounce() + i * PAGE_BYTES));
}

static void do_device_write(const struct program_step *s)
{
	fill_bounce(s, own_part ? own_part->round : 0);
	do_ioctl(s, HMM_DMIRROR_WRITE);
}

static void do_snapshot(const struct program_step *s)
{
	struct step_record *record = current_record();

	if (!do_ioctl(s, HMM_DMIRROR_SNAPSHOT))
		return;
	record->flags |= STEP_HAS_BYTES;
	record->data = s->count;
	memcpy(transcript_append(s->count), shared->bounce, s->count);
}

void run_device_step(const struct program_step *s)
{
	switch (s->op) {
	case OP_OPEN:
		do_open(s);
		break;
	case OP_CLOSE:
		do_close(s);
		break;
	case OP_READ:
		do_device_read(s, HMM_DMIRROR_READ);
		break;
	case OP_WRITE:
		do_device_write(s);
		break;
	case OP_MIGRATE_TO_DEV:
		do_device_read(s, HMM_DMIRROR_MIGRATE_TO_DEV);
		break;
	case OP_MIGRATE_TO_SYS:
		do_ioctl(s, HMM_DMIRROR_MIGRATE_TO_SYS);
		break;
	case OP_SNAPSHOT:
		do_snapshot(s);
		break;
	case OP_READ_UNLOCKED:
		do_device_read(s, HMM_DMIRROR_READ_UNLOCKED);
		break;
	case OP_EXCLUSIVE:
		do_device_read(s, HMM_DMIRROR_EXCLUSIVE);
		break;
	case OP_CHECK_EXCLUSIVE:
		do_ioctl(s, HMM_DMIRROR_CHECK_EXCLUSIVE);
		break;
	case OP_FLAGS:
		do_flags(s);
		break;
	case OP_RELEASE:
		shared->control.released |= 1u << s->argument;
		do_ioctl(s, HMM_DMIRROR_RELEASE);
		break;
	}
}
