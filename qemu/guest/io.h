/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef HMMDIFF_IO_H
#define HMMDIFF_IO_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/uio.h>

/* Reads up to `size` bytes, fewer only at the end of the stream. Returns their number, -1 with errno. */
ssize_t read_full(int fd, void *buffer, size_t size);

/* Writes all of `parts`, which it uses up. Returns 0, -1 with errno. */
int writev_full(int fd, struct iovec *parts, int count);

/* Reads a small file into `buffer` and ends it with a 0. Returns its length, -1 with errno. */
ssize_t read_file(const char *path, char *buffer, size_t size);

/* What stands behind the first `name` in `text`; NULL where it is not. */
const char *behind(const char *text, const char *name);

/* Writes `text` to the existing file `path`. Returns 0, -1 with errno. */
int write_file(const char *path, const char *text);

#endif
