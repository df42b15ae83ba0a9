// SPDX-License-Identifier: GPL-2.0-only
/* Plain reads and writes that finish what they began, on pipes, sockets and virtio-serial ports alike. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <unistd.h>

#include "io.h"

/* Whoever gave us the descriptor may have made it non-blocking. */
static bool retry(int fd, short events)
{
	struct pollfd pfd = { .fd = fd, .events = events };

	if (errno == EINTR)
		return true;
	return errno == EAGAIN && poll(&pfd, 1, -1) >= 0;
}

ssize_t read_full(int fd, void *buffer, size_t size)
{
	size_t done = 0;

	while (done < size) {
		ssize_t n = read(fd, (char *)buffer + done, size - done);

		if (n == 0)
			break;
		if (n > 0)
			done += n;
		else if (!retry(fd, POLLIN))
			return -1;
	}
	return done;
}

int writev_full(int fd, struct iovec *parts, int count)
{
	while (count > 0) {
		ssize_t n = writev(fd, parts, count);

		if (n < 0) {
			if (!retry(fd, POLLOUT))
				return -1;
			continue;
		}
		for (; count > 0 && (size_t)n >= parts->iov_len; parts++, count--)
			n -= parts->iov_len;
		if (count > 0) {
			parts->iov_base = (char *)parts->iov_base + n;
			parts->iov_len -= n;
		}
	}
	return 0;
}

ssize_t read_file(const char *path, char *buffer, size_t size)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t length;

	if (fd < 0)
		return -1;
	length = read_full(fd, buffer, size - 1);
	close(fd);
	if (length >= 0)
		buffer[length] = '\0';
	return length;
}

const char *behind(const char *text, const char *name)
{
	const char *found = strstr(text, name);

	return found ? found + strlen(name) : NULL;
}

int write_file(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);
	ssize_t length;

	if (fd < 0)
		return -1;
	length = write(fd, text, strlen(text));
	close(fd);
	return length == (ssize_t)strlen(text) ? 0 : -1;
}
