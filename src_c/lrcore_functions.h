/* lrcore_functions.h: a table of the functions of lrcore.h, by which a library in a
 * process lets others call its own. */

#ifndef LRCORE_FUNCTIONS_H
#define LRCORE_FUNCTIONS_H

#include "lrcore.h"

typedef struct {
    int version;  /* LRC_VERSION of the library */
    size_t bytes; /* of its table: a newer library has more functions at the end */
#define LRC_FUNCTION(type, name, parameters, arguments) type(*name) parameters;
#define LRC_PROCEDURE(name, parameters, arguments)      void(*name) parameters;
#include "lrcore_functions.def"
#undef LRC_FUNCTION
#undef LRC_PROCEDURE
} lrc_functions;

#endif
