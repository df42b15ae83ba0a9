// SPDX-License-Identifier: GPL-2.0-only

//---
/* Values that are no number, errno or word of a page. */
#define ANY		(~0ull)		/* in the table: what it is does not matter */
#define MIXED		(~1ull)		/* the words of a page differ */
#define NOTHING		(~2ull)		/* there is no page, or it cannot be read */

//---
/* The word that fills a page of the buffer. */
static uint64_t word_of(const char *page)
{
	const uint64_t *words = (const uint64_t *)page;

	for (unsigned int i = 1; i < WORDS; i++)
		if (words[i] != words[0])
			return MIXED;
	return words[0];
}

//---
/* The word at both ends of a page, if it is there: to read one that is not would bring it. */
static uint64_t word_at(uint64_t addr)
{
	const volatile uint64_t *words = (const uint64_t *)addr;
	uint64_t first, last;

	if (!(pagemap(addr) & PM_PRESENT))
		return NOTHING;
	if (sigsetjmp(fault_jump, 0)) {
		guarded = false;
		return NOTHING;
	}
	guarded = true;
	first = words[0];
	last = words[WORDS - 1];
	guarded = false;
	return first == last ? first : MIXED;
}

//---
/* What is behind an address: a page, an entry of some type, or nothing. */
static uint64_t kind_of(uint64_t addr)
{
	const uint64_t entry = pagemap(addr);

	if (entry & PM_PRESENT)
		return PM_PRESENT;
	return entry & PM_SWAP ? PM_SWAP | (entry & PM_TYPE) : 0;
}

//---
static uint64_t kpage(const char *file, uint64_t addr)
{
	const uint64_t entry = pagemap(addr);
	const int fd = open(file, O_RDONLY | O_CLOEXEC);
	uint64_t seen = NOTHING;

	if (fd < 0)
		cannot("%s: %s", file, strerror(errno));
	if (entry & PM_PRESENT && pread(fd, &seen, sizeof(seen), (entry & PM_FRAME) * sizeof(seen)) != sizeof(seen))
		seen = NOTHING;
	close(fd);
	return seen;
}

//---
static uint64_t resident(uint64_t addr)
{
	unsigned char byte;

	return mincore((void *)addr, PAGE, &byte) ? NOT_MAPPED : byte;
}

//---
static uint64_t snapshot_byte(int fd, uint64_t addr)
{
	return snapshot(fd, addr, 1) ? NOTHING : (uint8_t)buffer[0];
}

//---
/* Which page is behind an address, whoever maps it; device pages are counted for themselves. */
static uint64_t page_at(uint64_t addr)
{
	return frame_at(addr) | (pagemap(addr) & PM_PRESENT);
}

/* The first place that had the same page when all had looked. */
static uint64_t first_sharer(unsigned int place)
{
	for (unsigned int i = 0; i < place; i++)
		if (shared->frame[i] == shared->frame[place])
			return i;
	return place;
}

//---
/* A line of /proc/self/status, beside what it said before the first step. */
static uint64_t own_status(const char *name)
{
	return status_line(name) - (strcmp(name, "RssAnon") ? base_swap : base_anon);
}

//---
static unsigned int differences(const uint64_t *row)
{
	unsigned int count = 0;

	for (unsigned int i = 0; i < COLUMNS; i++)
		count += row[i] != ANY && row[i] != shared->seen[i];
	return count;
}

/* One of the rows must have all that was seen. */
static void judge(const uint64_t (*rows)[COLUMNS], unsigned int count, const char *const *names)
{
	unsigned int nearest = 0;

	for (unsigned int i = 0; i < count; i++)
		if (differences(rows[i]) < differences(rows[nearest]))
			nearest = i;
	if (!differences(rows[nearest]))
		return;
	failed("all of it", "no order of what was done at the same time explains it; row %u comes nearest", nearest);
	for (unsigned int i = 0; i < COLUMNS; i++)
		if (rows[nearest][i] == ANY || rows[nearest][i] == shared->seen[i])
			printf("\t%s: %#llx\n", names[i], (unsigned long long)shared->seen[i]);
		else
			printf("\t%s: expected %#llx, seen %#llx\n", names[i], (unsigned long long)rows[nearest][i],
			       (unsigned long long)shared->seen[i]);
}
