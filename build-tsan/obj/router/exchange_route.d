build-tsan/obj/router/exchange_route.o: router/exchange_route.c \
 router/exchange_internal.h libflynn/attr.h libflynn/http_parse.h \
 router/client.h libflynn/list.h router/io.h router/timer.h \
 router/exchange.h router/flow.h router/seen.h router/record.h \
 libflynn/buf.h libflynn/attr.h router/backend.h router/page.h \
 router/path.h router/plane.h router/table.h router/worker.h \
 router/block.h router/pipe.h router/complaint.h
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
libflynn/buf.h:
libflynn/attr.h:
router/backend.h:
router/page.h:
router/path.h:
router/plane.h:
router/table.h:
router/worker.h:
router/block.h:
router/pipe.h:
router/complaint.h:
