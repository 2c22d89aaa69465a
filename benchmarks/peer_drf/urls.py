from rest_framework.routers import SimpleRouter

from benchmarks.peer_drf.views import MemberViewSet

router = SimpleRouter(trailing_slash=False)
router.register("v1/members", MemberViewSet, basename="member")
urlpatterns = router.urls
