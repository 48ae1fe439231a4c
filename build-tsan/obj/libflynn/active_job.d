build-tsan/obj/libflynn/active_job.o: libflynn/active_job.c \
 libflynn/attr.h libflynn/buf.h libflynn/attr.h libflynn/clock.h \
 libflynn/err.h libflynn/host_client.h libflynn/job.h libflynn/json.h \
 libflynn/xmalloc.h
libflynn/attr.h:
libflynn/buf.h:
libflynn/attr.h:
libflynn/clock.h:
libflynn/err.h:
libflynn/host_client.h:
libflynn/job.h:
libflynn/json.h:
libflynn/xmalloc.h:
