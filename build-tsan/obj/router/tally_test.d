build-tsan/obj/router/tally_test.o: router/tally_test.c router/tally.h \
 libflynn/attr.h router/record.h libflynn/http_parse.h
router/tally.h:
libflynn/attr.h:
router/record.h:
libflynn/http_parse.h:
