/* board.c: a Cortex-M4 without an operating system: QEMU's mps2-an386, where the text
 * goes to the debugger (semihosting). */

#include <stdint.h>

#include "say.h"

int main(void);
extern uint32_t bss_begin[], bss_end[], stack_top[]; /* of board.ld */

enum {
    WRITE0 = 0x04,
    EXIT = 0x18,
    APPLICATION_EXIT = 0x20026,
    INTERNAL_ERROR = 0x20024
};

static void semihost(uint32_t operation, uintptr_t argument)
{
    register uint32_t r0 __asm__("r0") = operation;
    register uintptr_t r1 __asm__("r1") = argument;
    __asm__ volatile("bkpt 0xab" : "+r"(r0) : "r"(r1) : "memory");
}

void say(const char *text) { semihost(WRITE0, (uintptr_t)text); }

static void fault(void)
{
    semihost(EXIT, INTERNAL_ERROR);
    for (;;) continue;
}

static void reset(void)
{
    volatile uint32_t *const access = (uint32_t *)0xe000ed88; /* CPACR */
    *access |= 0xfu << 20; /* coprocessors 10 and 11: the floating-point unit */
    __asm__ volatile("dsb\n\tisb");
    for (uint32_t *word = bss_begin; word < bss_end; word++) *word = 0;
    main();
    semihost(EXIT, APPLICATION_EXIT);
    fault();
}

/* The vector table: the stack, reset, NMI and the faults. */
__attribute__((section(".vectors"), used)) static const void *const vectors[] = {
    stack_top, reset, fault, fault, fault, fault, fault};
