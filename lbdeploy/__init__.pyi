from lbdeploy.api import Answers as Answers
from lbdeploy.api import Cluster as Cluster
from lbdeploy.api import LbdeployError as LbdeployError
from lbdeploy.api import Outcome as Outcome
from lbdeploy.api import adopt as adopt
from lbdeploy.api import down as down
from lbdeploy.api import drain as drain
from lbdeploy.api import drill as drill
from lbdeploy.api import handover as handover
from lbdeploy.api import load as load
from lbdeploy.api import plan as plan
from lbdeploy.api import rebuild as rebuild
from lbdeploy.api import rollback as rollback
from lbdeploy.api import status as status
from lbdeploy.api import undrain as undrain
from lbdeploy.api import up as up
from lbdeploy.api import verify as verify

__version__: str
