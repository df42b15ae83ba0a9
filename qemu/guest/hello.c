// SPDX-License-Identifier: GPL-2.0-only
#include <stdbool.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "hello.h"
#include "page_scan.h"
#include "protocol.h"
#include "runner.h"
#include "trace.h"

/*
 * Whether there is a device behind the node, without opening it: each close of a test_hmm device evicts it, in some
 * 10 ms.
 */
static bool has_device(unsigned int device)
{
	char path[64];
	struct stat status;

	snprintf(path, sizeof(path), "/dev/hmm_dmirror%u", device);
	if (stat(path, &status) || !S_ISCHR(status.st_mode))
		return false;
	snprintf(path, sizeof(path), "/sys/dev/char/%u:%u", major(status.st_rdev), minor(status.st_rdev));
	return !access(path, F_OK);
}

size_t hello_json(char *buffer, size_t size)
{
	struct utsname names = { 0 };
	const char *separator = "";
	size_t length;

	uname(&names);
	length = snprintf(buffer, size,
			  "{\"protocol\":%u,\"release\":\"%s\",\"machine\":\"%s\",\"pageSize\":%ld,\"cpus\":%u,"
			  "\"testCpu\":%u,\"devices\":[", PROTOCOL_VERSION, names.release, names.machine,
			  sysconf(_SC_PAGESIZE), runner_cpus(), runner_cpu());
	for (unsigned int d = 0; d < MAX_DEVICES; d++) {
		if (!has_device(d))
			continue;
		length += snprintf(buffer + length, size - length, "%s%u", separator, d);
		separator = ",";
	}
	length += snprintf(buffer + length, size - length, "],\"traceEvents\":");
	length += trace_events_json(buffer + length, size - length);
	length += snprintf(buffer + length, size - length, ",\"scanCategories\":%llu",
			   (unsigned long long)scan_categories);
	if (trace_unavailable)
		length += snprintf(buffer + length, size - length, ",\"traceUnavailable\":\"%s\"", trace_unavailable);
	return length + snprintf(buffer + length, size - length, "}");
}
