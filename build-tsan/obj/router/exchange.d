build-tsan/obj/router/exchange.o: router/exchange.c \
 router/exchange_internal.h libflynn/attr.h libflynn/http_parse.h \
 router/client.h libflynn/list.h router/io.h router/timer.h \
 router/exchange.h router/flow.h router/seen.h router/record.h \
 libflynn/err.h libflynn/attr.h libflynn/xmalloc.h router/backend.h \
 router/block.h router/pipe.h router/h2.h router/head.h \
 router/forwarded.h router/page.h router/plane.h router/table.h \
 router/upstream.h router/worker.h router/complaint.h
router/exchange_internal.h:
libflynn/attr.h:
libflynn/http_parse.h:
router/client.h:
libflynn/list.h:
router/io.h:
router/timer.h:
router/exchange.h:
router/flow.h:
router/seen.h:
router/record.h:
libflynn/err.h:
libflynn/attr.h:
libflynn/xmalloc.h:
router/backend.h:
router/block.h:
router/pipe.h:
router/h2.h:
router/head.h:
router/forwarded.h:
router/page.h:
router/plane.h:
router/table.h:
router/upstream.h:
router/worker.h:
router/complaint.h:
