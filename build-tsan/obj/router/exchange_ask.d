build-tsan/obj/router/exchange_ask.o: router/exchange_ask.c \
 router/exchange_internal.h libflynn/attr.h libflynn/http_parse.h \
 router/client.h libflynn/list.h router/io.h router/timer.h \
 router/exchange.h router/flow.h router/seen.h router/record.h \
 libflynn/err.h libflynn/attr.h router/backend.h router/block.h \
 router/pipe.h router/upstream.h router/worker.h router/complaint.h
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
router/backend.h:
router/block.h:
router/pipe.h:
router/upstream.h:
router/worker.h:
router/complaint.h:
