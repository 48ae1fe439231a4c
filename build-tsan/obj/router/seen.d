build-tsan/obj/router/seen.o: router/seen.c router/seen.h \
 libflynn/http_parse.h router/record.h libflynn/xmalloc.h libflynn/attr.h \
 router/backend.h libflynn/list.h router/exchange_internal.h \
 libflynn/attr.h router/client.h router/io.h router/timer.h \
 router/exchange.h router/flow.h router/journal.h router/ring.h \
 router/plane.h router/table.h router/tally.h router/worker.h \
 router/block.h router/pipe.h router/complaint.h
router/seen.h:
libflynn/http_parse.h:
router/record.h:
libflynn/xmalloc.h:
libflynn/attr.h:
router/backend.h:
libflynn/list.h:
router/exchange_internal.h:
libflynn/attr.h:
router/client.h:
router/io.h:
router/timer.h:
router/exchange.h:
router/flow.h:
router/journal.h:
router/ring.h:
router/plane.h:
router/table.h:
router/tally.h:
router/worker.h:
router/block.h:
router/pipe.h:
router/complaint.h:
