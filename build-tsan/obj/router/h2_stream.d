build-tsan/obj/router/h2_stream.o: router/h2_stream.c \
 router/h2_internal.h libflynn/list.h router/client.h router/io.h \
 router/timer.h router/h2.h libflynn/http_parse.h router/h2_head.h \
 libflynn/attr.h libflynn/err.h libflynn/attr.h libflynn/xmalloc.h \
 router/block.h router/pipe.h router/exchange.h router/worker.h \
 router/complaint.h
router/h2_internal.h:
libflynn/list.h:
router/client.h:
router/io.h:
router/timer.h:
router/h2.h:
libflynn/http_parse.h:
router/h2_head.h:
libflynn/attr.h:
libflynn/err.h:
libflynn/attr.h:
libflynn/xmalloc.h:
router/block.h:
router/pipe.h:
router/exchange.h:
router/worker.h:
router/complaint.h:
