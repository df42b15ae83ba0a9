// SPDX-License-Identifier: GPL-2.0-only

//---
/* In each round a part writes other words. */
#define ROUND_SHIFT	48
#define ROUND(round)	((uint64_t)((round) & 0xffff) << ROUND_SHIFT)

//---
struct written_word {
	uint64_t	addr;
	uint64_t	token;
};

/* All that is ever written to a page. */
static const struct written_word written_words[WRITTEN];

/* Whether somebody has written the word to the page, in whatever round. */
static bool was_written(uint64_t addr, uint64_t word)
{
	const uint64_t token = word & (ROUND(1) - 1);

	for (unsigned int i = 0; i < WRITTEN; i++)
		if (written_words[i].addr == addr && written_words[i].token == token)
			return true;
	return !token;
}

//---
static void check_part(const char *what, int err, const int *allowed, unsigned int count)
{
	/* Which page of its range a part was refused is of no interest. */
	if (err >> 16)
		err &= ~0xffff;
	for (unsigned int i = 0; i < count; i++)
		if (err == allowed[i])
			return;
	if (err)
		failed(what, "seen %s, which must not be", describe(err));
}

//---
/* Writes like cpu_write(), to pages that no other part writes to: what it wrote the round before is still there. */
static int cpu_write_again(uint64_t addr, unsigned int pages, uint64_t token, unsigned int round)
{
	const int number = sigsetjmp(fault_jump, 0);
	volatile uint64_t *words = (uint64_t *)addr;
	bool lost = false;

	if (!number) {
		guarded = true;
		for (unsigned int i = 0; i < pages * WORDS; i++) {
			const uint64_t last = (token + i / WORDS) ^ ROUND(round - 1), seen = words[i];

			if (round && seen != last && !lost)
				failed("a write is lost", "round %u, page %u: expected %#llx, seen %#llx", round,
				       (unsigned int)(i / WORDS), (unsigned long long)last, (unsigned long long)seen);
			lost |= round && seen != last;
			words[i] = (token + i / WORDS) ^ ROUND(round);
		}
	}
	guarded = false;
	return number ? FAULT(number, (fault_address - addr) / PAGE) : 0;
}

//---
/* Pages of the buffer, which were read at addr. */
static void check_read(const char *what, uint64_t addr, unsigned int pages)
{
	for (unsigned int i = 0; i < pages; i++) {
		const uint64_t word = *(const uint64_t *)(buffer + i * PAGE);

		if (!was_written(addr + i * PAGE, word))
			failed(what, "page %u: expected what somebody wrote to it, seen %#llx", i,
			       (unsigned long long)word);
	}
}

//---
/* A page that is there, when all are done; `mixed`: several wrote to it at the same time. */
static void check_content(const char *what, uint64_t addr, bool mixed)
{
	const uint64_t word = word_at(addr);

	if (word == NOTHING || (mixed && word == MIXED))
		return;
	if (word == MIXED || !was_written(addr, word))
		failed(what, "expected what somebody wrote to the page, seen %#llx", (unsigned long long)word);
}

//---
/* What a part wrote in its last round stays, if nobody else writes there. */
static void check_last(const char *what, uint64_t addr, uint64_t token, int part)
{
	const uint64_t word = word_at(addr), last = token ^ ROUND(shared->rounds[part] - 1);

	if (!shared->result[part] && word != NOTHING && word != last)
		failed(what, "a write is lost: expected %#llx, seen %#llx", (unsigned long long)last,
		       (unsigned long long)word);
}

//---
/* No page is on a device that nobody has open. */
static void check_home(const char *what, uint64_t addr)
{
	const uint64_t kind = kind_of(addr);

	if (kind == (PM_SWAP | SWP_DEVICE_READ) || kind == (PM_SWAP | SWP_DEVICE_WRITE))
		failed(what, "expected no page of a device that nobody has open, seen %#llx", (unsigned long long)kind);
}

//---
/* A process that a part forks anew: it waits for its turn, and gives up all that it has. */
static void end_child(int process)
{
	struct pollfd ended = { .fd = syscall(SYS_pidfd_open, shared->pid[process], 0), .events = POLLIN };

	if (ended.fd < 0)
		cannot("pidfd_open: %s", strerror(errno));
	/* main() does not count this end. */
	shared->pid[process] = 0;
	syscall(SYS_pidfd_send_signal, ended.fd, SIGKILL, NULL, 0);
	while (poll(&ended, 1, -1) != 1)
		;
	close(ended.fd);
}

//---
/* What each process has in each page, as far as it is known. */
static void forget_all(void)
{
	for (unsigned int i = 0; i < KEPT; i++)
		shared->kept[i] = NOTHING;
}

//---
/* Content stays, whatever others write to their pages. */
static void check_kept(const char *what, uint64_t addr, int place)
{
	const uint64_t word = word_at(addr);

	if (word == NOTHING || word == MIXED)
		return;
	if (shared->kept[place] != NOTHING && shared->kept[place] != word)
		failed(what, "expected %#llx, which was there before, seen %#llx",
		       (unsigned long long)shared->kept[place], (unsigned long long)word);
	shared->kept[place] = word;
}

//---
static bool is_anonymous(uint64_t addr)
{
	const uint64_t kind = kind_of(addr);

	if (kind == PM_PRESENT)
		return !(kpage(KPAGEFLAGS, addr) & KPF(ZERO_PAGE));
	return kind;
}

//---
/* RssAnon of the process counts what is in its page tables. */
static void check_rss(const char *what, unsigned int pages)
{
	const uint64_t seen = own_status("RssAnon");

	if (seen != pages * PAGE / 1024)
		failed(what, "expected RssAnon to count %u pages of the regions, seen %lld KiB", pages, (long long)seen);
}
