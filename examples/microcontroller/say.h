/* say.h: where the text of main.c goes. */

#ifndef SAY_H
#define SAY_H

void say(const char *text);

#endif
