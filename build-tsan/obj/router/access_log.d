build-tsan/obj/router/access_log.o: router/access_log.c \
 router/access_log.h libflynn/clock.h libflynn/err.h libflynn/attr.h \
 libflynn/log.h libflynn/random.h libflynn/xmalloc.h router/journal.h \
 router/ring.h libflynn/list.h router/record.h libflynn/http_parse.h
router/access_log.h:
libflynn/clock.h:
libflynn/err.h:
libflynn/attr.h:
libflynn/log.h:
libflynn/random.h:
libflynn/xmalloc.h:
router/journal.h:
router/ring.h:
libflynn/list.h:
router/record.h:
libflynn/http_parse.h:
