build-tsan/obj/router/journal.o: router/journal.c router/journal.h \
 router/ring.h libflynn/list.h libflynn/err.h libflynn/attr.h \
 libflynn/log.h libflynn/xmalloc.h
router/journal.h:
router/ring.h:
libflynn/list.h:
libflynn/err.h:
libflynn/attr.h:
libflynn/log.h:
libflynn/xmalloc.h:
