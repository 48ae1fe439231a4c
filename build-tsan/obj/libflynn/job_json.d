build-tsan/obj/libflynn/job_json.o: libflynn/job_json.c libflynn/job.h \
 libflynn/attr.h libflynn/buf.h libflynn/attr.h libflynn/err.h \
 libflynn/job_json.h libflynn/json.h libflynn/map.h libflynn/xmalloc.h
libflynn/job.h:
libflynn/attr.h:
libflynn/buf.h:
libflynn/attr.h:
libflynn/err.h:
libflynn/job_json.h:
libflynn/json.h:
libflynn/map.h:
libflynn/xmalloc.h:
