/** What the lines of the kernel's reports look like, by what prints them. */
const CONTENT = [
  // Indented lists, empty lines, drawn lines, "---[ end trace".
  /^\s/,
  /^$/,
  /^[-=*]{3,}/,
  // Call traces, and the functions above them.
  /^<\/?(?:TASK|IRQ|NMI|SOFTIRQ|EOI|#\w+)>/,
  /^Call [Tt]race:/,
  /^\S+\+0x[0-9a-f]+\/0x[0-9a-f]+/,
  // Registers and the state of the processor.
  /^(?:[RE](?:IP|SP|AX|BX|CX|DX|SI|DI|BP)|R\d\d|[CDEFGS]S|[CD]R\d|ORIG_RAX|PKRU|PGD|Code) ?:/,
  /^(?:pc|lr|sp|x\d+|pstate|pmr_save|ESR|FAR) ?:/,
  /^(?:Mem abort info|Data abort info|swapper pgtable|user pgtable|Exception stack|#PF):?/,
  /^\[[0-9a-f]{8,16}\]/,
  // Who was running, and where.
  /^(?:Oops|Internal error|Modules linked in|Hardware name|Workqueue|Tainted|Stopper|task|CPU|comm)\b ?:/,
  /^(?:note|Disabling lock debugging)\b/,
  /^(?:irq event stamp|hardirqs last|softirqs last|Preemption disabled at|in_atomic|preempt_count:|RCU nest depth|expected:)/,
  // Stalls and hung tasks.
  /^(?:rcu:|NMI backtrace|Sending NMI|Task dump for|Showing (?:all|busy)|no locks held|locks held by|\d+ locks? held|#\d+: )/,
  /^(?:INFO: task \S+ (?:is )?blocked on|INFO: lockdep is turned off|"echo 0 >|Blocked by|Future hung task)/,
  // Pages and slab objects.
  /^(?:page:|page dumped because|flags:|raw:|head:|page_type|page last|page_owner|memcg:|anon flags|aops:|addr:|file:|pgtable:)/,
  /^(?:Allocated (?:in|by)|Freed (?:in|by)|Slab 0x|Object|Bytes b4|Redzone|Padding|FIX |INFO: (?:Allocated|Freed|Slab|Object|0x))/,
  /^(?:The buggy|Memory state|which belongs|Read of|Write of|Last potentially)/,
  // What follows a panic.
  /^(?:Kernel panic|Kernel Offset|SMP: stopping|CPU features|Memory Limit|PHYS_OFFSET|Rebooting|Dumping ftrace)/,
];

const PATTERN = new RegExp(CONTENT.map((pattern) => pattern.source).join('|'));

/** Whether a line may be part of a report; used only to find where a report stops that has no last line. */
export function looksLikeReport(text: string): boolean {
  return PATTERN.test(text);
}
