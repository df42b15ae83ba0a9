// SPDX-License-Identifier: GPL-2.0-only

//---
/* What regions map, by their number. */
static int region_file[4];

//---
/* The word that fills a page of a file at first. */
#define FILE_WORD(region, page)	(((region) + 1ull) << 16 | ((page) + 1))

static int filled(int file, int region, unsigned int pages)
{
	uint64_t words[PAGE / 8];

	for (unsigned int i = 0; i < pages; i++) {
		for (unsigned int w = 0; w < PAGE / 8; w++)
			words[w] = FILE_WORD(region, i);
		if (write(file, words, PAGE) != PAGE)
			cannot("write: %s", strerror(errno));
	}
	return file;
}

//---
/* A file of ramfs that has no name, on a mount that has no place; all of its pages are in the page cache. */
static int ramfs_file(int region, unsigned int pages)
{
	const int fs = syscall(SYS_fsopen, "ramfs", FSOPEN_CLOEXEC);
	int mount, file;

	if (fs < 0 || syscall(SYS_fsconfig, fs, FSCONFIG_CMD_CREATE, NULL, NULL, 0))
		cannot("ramfs: %s", strerror(errno));
	mount = syscall(SYS_fsmount, fs, FSMOUNT_CLOEXEC, 0);
	file = openat(mount, ".", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
	if (mount < 0 || file < 0)
		cannot("file on ramfs: %s", strerror(errno));
	close(mount);
	close(fs);
	return filled(file, region, pages);
}

//---
/* A memfd without any pages. */
static int shmem_file(unsigned int pages)
{
	const int file = memfd_create("repro", MFD_CLOEXEC);

	if (file < 0 || ftruncate(file, pages * PAGE))
		cannot("memfd: %s", strerror(errno));
	return file;
}

//---
/* A memfd that has all of its pages. */
static int filled_shmem_file(int region, unsigned int pages)
{
	return filled(shmem_file(pages), region, pages);
}

//---
/* A memfd with pages of 2 MiB, and as many more of them free as all processes may want. They stay reserved. */
static int hugetlb_file(unsigned int pages)
{
	const int file = memfd_create("repro", MFD_CLOEXEC | MFD_HUGETLB | MFD_HUGE_2MB);
	const int pool = open("/proc/sys/vm/nr_hugepages", O_RDWR | O_CLOEXEC);
	char text[32];
	long had;

	if (file < 0 || ftruncate(file, pages * PAGE))
		cannot("hugetlb: %s", strerror(errno));
	memset(text, 0, sizeof(text));
	if (pool < 0 || read(pool, text, sizeof(text) - 1) < 0)
		cannot("nr_hugepages: %s", strerror(errno));
	had = strtol(text, NULL, 10);
	snprintf(text, sizeof(text), "%ld", had + 12 * pages / 512);
	if (pwrite(pool, text, strlen(text), 0) < 0)
		cannot("nr_hugepages: %s", strerror(errno));
	close(pool);
	return file;
}
