#include <stdio.h>

#include "cli/cli.h"
#include "libflynn/attr.h"

int
cmd_version(FL_UNUSED struct cli *cli, FL_UNUSED int argc, FL_UNUSED char **argv)
{
	printf("flynn %s\n", FL_VERSION);
	return 0;
}
