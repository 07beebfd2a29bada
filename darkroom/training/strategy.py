"""Lightning Fabric's DDP, with processes that meet before they connect and then watch over one another.

Only a training of several processes imports this module, for Fabric's part of it takes a second to import.
"""

import os
import socket
from datetime import timedelta

import torch
from lightning_fabric.plugins.environments.lightning import LightningEnvironment
from lightning_fabric.strategies.ddp import DDPStrategy

from darkroom.base.errors import UserError
from darkroom.training import meeting, peers

CONNECT = timedelta(minutes=2)  # to connect, when all processes are there
WAIT = timedelta(minutes=30)  # for an operation over all processes; `peers` notices a lost one long before


class Watched(DDPStrategy):
    """DDP (DistributedDataParallel) of processes that watch over one another."""

    def __init__(self) -> None:
        super().__init__(timeout=CONNECT)

    def _configure_launcher(self) -> None:
        """Raise UserError if several nodes have no address to meet at; Fabric would choose a random port."""
        missing = [name for name in ("MASTER_ADDR", "MASTER_PORT", "NODE_RANK") if name not in os.environ]
        if self.num_nodes > 1 and missing and isinstance(self.cluster_environment, LightningEnvironment):
            raise UserError(
                f"train.num_nodes is {self.num_nodes}, but {', '.join(missing)} is not set: on every machine set "
                "MASTER_ADDR and MASTER_PORT, an address of the first machine and a free port there, and NODE_RANK, "
                "from 0 on"
            )
        super()._configure_launcher()

    def setup_environment(self) -> None:
        """Meet the other processes, then connect. Raises UserError if either fails."""
        if torch.distributed.is_initialized():
            return super().setup_environment()
        self._set_world_ranks()
        place = self.cluster_environment
        assert place is not None
        own = meeting.Hello(
            host=socket.gethostname(),
            process=os.getpid(),
            node=place.node_rank(),
            local=place.local_rank(),
            world=place.world_size(),
            each=self.num_processes,
            device=self.root_device.type,
        )
        table, found = meeting.meet(place.main_address, place.main_port, place.global_rank(), own)
        peers.watch(table, found, place.global_rank())
        if self.num_nodes > 1:
            meeting.choose_interface(place.main_address, {hello.host for hello in found.values()})
        try:
            super().setup_environment()
        except RuntimeError as error:
            raise UserError(
                f"the processes have met, but cannot connect ({str(error).splitlines()[0]}): name the network between "
                "the nodes in GLOO_SOCKET_IFNAME, on GPUs in NCCL_SOCKET_IFNAME (`ip address` lists them), and let a "
                "firewall pass it"
            ) from None
        torch.distributed.set_timeout(WAIT)
        return None
