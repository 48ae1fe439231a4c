build-tsan/obj/router/timer.o: router/timer.c router/timer.h \
 libflynn/list.h
router/timer.h:
libflynn/list.h:
