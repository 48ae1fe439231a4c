build-tsan/obj/libflynn/job.o: libflynn/job.c libflynn/job.h \
 libflynn/job_json.h libflynn/map.h libflynn/uuid.h libflynn/xmalloc.h \
 libflynn/attr.h
libflynn/job.h:
libflynn/job_json.h:
libflynn/map.h:
libflynn/uuid.h:
libflynn/xmalloc.h:
libflynn/attr.h:
