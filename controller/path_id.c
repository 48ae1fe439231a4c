#include "controller/path_id.h"

#include "controller/answer.h"
#include "libflynn/http_server.h"

int
path_id(struct fl_http_req *req, const char *name, char out[FL_UUID_LEN + 1])
{
	if (fl_uuid_parse(fl_http_param(req, name), out))
		return 0;
	answer_not_found(req);
	return -1;
}
