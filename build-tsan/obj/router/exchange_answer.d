build-tsan/obj/router/exchange_answer.o: router/exchange_answer.c \
 router/exchange_internal.h libflynn/attr.h libflynn/http_parse.h \
 router/client.h libflynn/list.h router/io.h router/timer.h \
 router/exchange.h router/flow.h router/seen.h router/record.h \
 libflynn/err.h libflynn/attr.h router/backend.h router/block.h \
 router/pipe.h router/h2.h router/head.h router/forwarded.h \
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
router/backend.h:
router/block.h:
router/pipe.h:
router/h2.h:
router/head.h:
router/forwarded.h:
router/upstream.h:
router/worker.h:
router/complaint.h:
