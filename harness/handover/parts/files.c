// SPDX-License-Identifier: GPL-2.0-only

//---
/* What regions map, by their number. */
static int region_file[4];

//---
/* The word that fills a page of a file at first. */
#define FILE_WORD(region, page)	(((region) + 1ull) << 16 | ((page) + 1))

/* A file of ramfs that has no name, on a mount that has no place; all of its pages are in the page cache. */
static int ramfs_file(int region, unsigned int pages)
{
	const int fs = syscall(SYS_fsopen, "ramfs", FSOPEN_CLOEXEC);
	uint64_t words[PAGE / 8];
	int mount, file;

	if (fs < 0 || syscall(SYS_fsconfig, fs, FSCONFIG_CMD_CREATE, NULL, NULL, 0))
		cannot("ramfs: %s", strerror(errno));
	mount = syscall(SYS_fsmount, fs, FSMOUNT_CLOEXEC, 0);
	file = openat(mount, ".", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
	if (mount < 0 || file < 0)
		cannot("file on ramfs: %s", strerror(errno));
	close(mount);
	close(fs);
	for (unsigned int i = 0; i < pages; i++) {
		for (unsigned int w = 0; w < PAGE / 8; w++)
			words[w] = FILE_WORD(region, i);
		if (write(file, words, PAGE) != PAGE)
			cannot("write: %s", strerror(errno));
	}
	return file;
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
