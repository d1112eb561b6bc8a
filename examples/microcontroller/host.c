/* host.c: text goes to the standard output of an operating system. */

#include <stdio.h>

#include "say.h"

void say(const char *text) { fputs(text, stdout); }
