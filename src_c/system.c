/* system.c: what the core asks of the operating system: see system.h. */

#define _GNU_SOURCE /* for what is not of C11 */
#include "system.h"

#include "portable.h"

#include SYSTEM
