// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "io.h"
#include "program.h"
#include "shared.h"
#include "trace.h"
#include "trace_format.h"
#include "trace_ring.h"

#define INSTANCE	"instances/hmmdiff"
/* Per CPU: MAX_STEP_EVENTS of some 40 bytes, and room for what else the kernel migrates. */
#define BUFFER_KB	"3072"
#define MAX_CPUS	64
/* REGION_BASE up to the end of the last region that there can be. */
#define IN_REGIONS	"address >= 0x200000000000 && address < 0x200100000000"
_Static_assert(REGION_BASE == 0x200000000000 && MAX_REGIONS * REGION_STRIDE == 0x100000000, "IN_REGIONS");

struct event {
	const char		*group;
	const char		*name;
	const char		*addr_field;	/* NULL: neither address nor entry */
	const char		*entry_field;
	const char		*filter;	/* NULL: all of them are wanted */
	uint32_t		number;		/* enum event_name */
	unsigned int		id;		/* 0: this kernel has no such event */
	struct trace_field	addr;
	struct trace_field	entry;
	struct trace_field	order;
};

#define MIGRATION_EVENT(trace_group, event_name, entry_name, protocol_number)	\
	{ .group = trace_group, .name = event_name, .addr_field = "addr", .entry_field = entry_name,	\
	  .number = protocol_number }

static struct event events[] = {
	MIGRATION_EVENT("migrate", "set_migration_pte", "pte", EVENT_SET_MIGRATION_PTE),
	MIGRATION_EVENT("migrate", "remove_migration_pte", "pte", EVENT_REMOVE_MIGRATION_PTE),
	MIGRATION_EVENT("thp", "set_migration_pmd", "pmd", EVENT_SET_MIGRATION_PMD),
	MIGRATION_EVENT("thp", "remove_migration_pmd", "pmd", EVENT_REMOVE_MIGRATION_PMD),
	{ .group = "migrate", .name = "mm_migrate_pages", .number = EVENT_MM_MIGRATE_PAGES },
	{ .group = "migrate", .name = "mm_migrate_pages_start", .number = EVENT_MM_MIGRATE_PAGES_START },
	/* x86 alone. The agent's own faults are many, and of no interest. */
	{ .group = "exceptions", .name = "page_fault_user", .addr_field = "address", .entry_field = "error_code",
	  .number = EVENT_PAGE_FAULT_USER, .filter = IN_REGIONS },
};
#define EVENTS	(sizeof(events) / sizeof(events[0]))

const char *trace_unavailable = "not probed";

static const char *tracefs;
static struct ring_layout layout;
static struct trace_field common_type;
static size_t page_size;
static int pipes[MAX_CPUS];
static unsigned int cpus;
static char text[8192];

__attribute__((format(printf, 1, 2)))
static const char *in_tracefs(const char *format, ...)
{
	static char path[160];
	int length = snprintf(path, sizeof(path), "%s/", tracefs);
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(path + length, sizeof(path) - length, format, arguments);
	va_end(arguments);
	return path;
}

static bool probe_layout(void)
{
	struct trace_field commit;

	if (read_file(in_tracefs("events/header_page"), text, sizeof(text)) < 0)
		return false;
	if (!find_field(text, "commit", &commit) || !find_field(text, "data", &layout.data))
		return false;
	/* The commit field is a long of which only 32 bits are the length and its flags. */
	layout.commit = (struct trace_field){ commit.offset, 4 };
	page_size = layout.data.offset + layout.data.size;
	return page_size <= TRACE_PAGE_MAX;
}

static void probe_event(struct event *event)
{
	const char *id;

	if (read_file(in_tracefs("events/%s/%s/format", event->group, event->name), text, sizeof(text)) < 0)
		return;
	/* The file `id` is there only with CONFIG_PERF_EVENTS. */
	id = strstr(text, "ID: ");
	if (!id || sscanf(id, "ID: %u", &event->id) != 1 || !find_field(text, "common_type", &common_type))
		goto unusable;
	if (!event->addr_field)
		return;
	if (!find_field(text, event->addr_field, &event->addr) || !find_field(text, event->entry_field, &event->entry))
		goto unusable;
	if (event->addr.size > 8 || event->entry.size > 8 || common_type.size > 8)
		goto unusable;
	/* PMD events have no order; neither have the PTE events of some older kernels. */
	if (!find_field(text, "order", &event->order) || event->order.size > 8)
		event->order.size = 0;
	return;

unusable:
	event->id = 0;
}

void trace_probe(void)
{
	static const char *const places[] = { "/sys/kernel/tracing", "/sys/kernel/debug/tracing" };

	for (unsigned int i = 0; i < 2 && !tracefs; i++) {
		tracefs = places[i];
		/* The directory is there, empty, without a mount. */
		if (access(in_tracefs("instances"), F_OK))
			tracefs = NULL;
	}
	if (!tracefs) {
		trace_unavailable = "tracefs is not mounted";
		return;
	}
	if (!probe_layout()) {
		trace_unavailable = "events/header_page is not understood";
		return;
	}
	for (unsigned int i = 0; i < EVENTS; i++)
		probe_event(&events[i]);
	trace_unavailable = NULL;
}

int trace_events_json(char *buffer, unsigned long size)
{
	int length = snprintf(buffer, size, "[");

	for (unsigned int i = 0; i < EVENTS; i++)
		if (events[i].id)
			length += snprintf(buffer + length, size - length, "%s\"%s\"",
					   length > 1 ? "," : "", events[i].name);
	return length + snprintf(buffer + length, size - length, "]");
}

static bool enable(const struct event *event)
{
	if (event->filter &&
	    write_file(in_tracefs(INSTANCE "/events/%s/%s/filter", event->group, event->name), event->filter))
		return false;
	return !write_file(in_tracefs(INSTANCE "/events/%s/%s/enable", event->group, event->name), "1");
}

static bool enable_events(void)
{
	for (unsigned int i = 0; i < EVENTS; i++)
		if (events[i].id && !enable(&events[i]))
			return false;
	return true;
}

void trace_open(void)
{
	if (trace_unavailable)
		return;
	/* An agent that was killed may have left it. */
	if (mkdir(in_tracefs(INSTANCE), 0700) && errno != EEXIST) {
		trace_unavailable = "no tracefs instance could be made";
		return;
	}
	if (write_file(in_tracefs(INSTANCE "/buffer_size_kb"), BUFFER_KB) ||
	    write_file(in_tracefs(INSTANCE "/tracing_on"), "1") || !enable_events()) {
		trace_unavailable = "the tracefs instance could not be set up";
		return;
	}
	for (cpus = 0; cpus < MAX_CPUS; cpus++) {
		pipes[cpus] = open(in_tracefs(INSTANCE "/per_cpu/cpu%u/trace_pipe_raw", cpus),
				   O_RDONLY | O_NONBLOCK | O_CLOEXEC);
		if (pipes[cpus] < 0)
			break;
	}
}

void trace_close(void)
{
	while (cpus > 0)
		close(pipes[--cpus]);
	if (tracefs)
		rmdir(in_tracefs(INSTANCE));
}

/* False when there is nothing more to read. */
static bool read_page(unsigned int cpu)
{
	const ssize_t length = read(pipes[cpu], shared->trace_page, page_size);

	if (length < 0 && errno != EAGAIN && errno != EINTR)
		note_failure("trace_pipe_raw of CPU %u", cpu);
	return length > 0;
}

void trace_discard(void)
{
	for (unsigned int cpu = 0; cpu < cpus; cpu++)
		while (read_page(cpu))
			;
}

static const struct event *event_of(const void *record, size_t size)
{
	const unsigned int id = field_value(record, &common_type);

	for (unsigned int i = 0; i < EVENTS; i++) {
		const struct event *e = &events[i];

		if (e->id == id && size >= e->addr.offset + e->addr.size && size >= e->entry.offset + e->entry.size &&
		    size >= e->order.offset + e->order.size)
			return e;
	}
	return NULL;
}

static bool is_stray(const struct event *event, uint64_t addr)
{
	return event->addr.size && (addr < REGION_BASE || addr >= REGION_END);
}

static uint32_t append_page(uint32_t appended)
{
	struct control *c = &shared->control;
	struct ring_walk walk;
	const void *record;
	size_t size;

	ring_start(&walk, &layout, shared->trace_page);
	c->lost_events += walk.missed;
	while ((record = ring_next(&walk, &size))) {
		const struct event *event = event_of(record, size);
		uint64_t addr;

		if (!event)
			continue;
		addr = field_value(record, &event->addr);
		if (is_stray(event, addr)) {
			c->stray_events++;
			continue;
		}
		if (appended == MAX_STEP_EVENTS) {
			c->lost_events++;
			continue;
		}
		*(struct event_record *)transcript_append(sizeof(struct event_record)) = (struct event_record){
			.addr = addr,
			.entry = field_value(record, &event->entry),
			.name = event->number,
			.order = field_value(record, &event->order),
		};
		appended++;
	}
	return appended;
}

uint32_t trace_append(unsigned int cpu)
{
	uint32_t appended = 0;

	while (read_page(cpu))
		appended = append_page(appended);
	return appended;
}

uint32_t trace_append_all(void)
{
	uint32_t appended = 0;

	for (unsigned int cpu = 0; cpu < cpus; cpu++)
		while (read_page(cpu))
			appended = append_page(appended);
	return appended;
}
