build-tsan/obj/libflynn/process.o: libflynn/process.c libflynn/err.h \
 libflynn/attr.h libflynn/job.h libflynn/json.h libflynn/map.h \
 libflynn/process.h libflynn/xmalloc.h
libflynn/err.h:
libflynn/attr.h:
libflynn/job.h:
libflynn/json.h:
libflynn/map.h:
libflynn/process.h:
libflynn/xmalloc.h:
